import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { until } from '../../support/processes.js';
import { docker, TEST_IMAGE } from '../../support/docker.js';

/** A job whose machine takes some seconds: its service is long in starting. */
export const SLOWLY_PROVISIONED: Scenario['job'] = {
  more: {
    services: [
      {
        name: TEST_IMAGE,
        alias: 'slow',
        entrypoint: ['sh', '-c'],
        command: ['sleep 4; mkdir /w; httpd -f -p 8000 -h /w'],
      },
    ],
  },
};

/** From here to the end of the service's start the machine is half made. */
export async function isHalfMade({ stack }: Scene): Promise<void> {
  const filter = ['--filter', `label=holdfast.engine=${stack.engine}`, '--filter', 'label=holdfast.role=service'];
  await until('the service', () => docker('ps', '-q', ...filter).length > 0);
}
