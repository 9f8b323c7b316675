import { numberedJob, type NumberedJob } from '../faults/numbered-job.js';
import type { Expectation, Figures } from '../faults/scenario.js';
import { TEST_IMAGE } from '../stack.js';
import type { PlannedJob } from './plan.js';

/** A job that is canceled would go on for longer than all faults together take. */
const ENDLESS = { lines: 400, pauseSeconds: 0.3 };

export const FAILING_EXIT_CODE = 3;

export function jobOf(planned: PlannedJob): NumberedJob {
  const { lines, pauseSeconds, afterSeconds, from } = planned;
  const size = { lines, pauseSeconds };
  switch (planned.kind) {
    case 'plain':
      return numberedJob(size);
    case 'after':
      return numberedJob({ ...size, afterSeconds });
    case 'failing':
      return numberedJob({ ...size, then: [`exit ${String(FAILING_EXIT_CODE)}`] });
    case 'canceled':
      return numberedJob(ENDLESS);
    case 'services':
      return numberedJob({
        ...size,
        before: ['wget -q -O - http://beside:8000/word'],
        more: {
          services: [
            {
              name: TEST_IMAGE,
              alias: 'beside',
              entrypoint: ['sh', '-c'],
              command: ['mkdir /w; echo of the service >/w/word; httpd -f -p 8000 -h /w'],
            },
          ],
        },
      });
    case 'artifacts':
      return numberedJob({
        ...size,
        before: ['head -c 300000 /dev/urandom >made'],
        more: {
          artifacts: from === 'gitlab' ? [{ name: 'kept', paths: ['made'], when: 'always' }] : { paths: ['made'] },
        },
      });
  }
}

/** No fault of a soak costs a job anything, so what its kind comes to does not depend on them. */
export function expectationOf({ kind, from }: PlannedJob, figures: Pick<Figures, 'runs'>): Expectation {
  const atCoordinator = (state: string) => (from === 'gitlab' ? { coordinator: state } : { coordinator: '' });
  if (kind === 'failing') return { state: 'failed', failureReason: 'script_failure', ...atCoordinator('failed') };
  if (kind !== 'canceled') return atCoordinator('success');
  return {
    state: 'canceled',
    failureReason: 'job_canceled',
    linesMayBeLost: true,
    // Canceled before its script, or in it.
    runs: Math.min(1, figures.runs),
    ...atCoordinator('canceled'),
  };
}
