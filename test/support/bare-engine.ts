import { parseConfig } from '../../src/config/load.js';
import { createDockerEngine } from '../../src/machines/docker/docker-engine.js';
import type { Engine, MachineRequest } from '../../src/machines/engine.js';
import { installationOf } from '../../src/machines/installation.js';
import { machineName } from '../../src/machines/machine-name.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { TEST_IMAGE } from './docker.js';

export interface BareEngine extends Engine {
  /** Whose machines these are. */
  installation: string;
}

/** What a worker has of an engine, without the worker. */
export function bareEngine(
  name: string,
  { namespaceId, place = namespaceId, now = Date.now }: { namespaceId: string; place?: string; now?: () => number },
): BareEngine {
  const [settings] = parseConfig(
    { engines: [{ name, defaultImage: TEST_IMAGE, helperImage: TEST_IMAGE, capacity: 8, warm: 2 }] },
    'test',
  ).engines;
  if (settings === undefined) throw new Error('One engine was configured');
  const installation = installationOf(namespaceId, [place]);
  return {
    ...createDockerEngine({ settings, installation, logger: silentLogger, now, steadyNow: now }),
    installation: installation.id,
  };
}

/** The smallest machine. */
export function requestFor(
  { name, installation }: BareEngine,
  job: string,
  more: Partial<MachineRequest> = {},
): MachineRequest {
  return {
    machine: machineName({ installation, engine: name }, job, 1),
    job,
    nonce: 'n',
    image: { name: TEST_IMAGE },
    services: [],
    helper: false,
    steps: [{ name: 'step_script', role: 'build', script: 'true' }],
    buildsDirectory: '/builds',
    projectDirectory: '/builds/p',
    hostname: 'h',
    credentials: [],
    serviceWaitMs: 1000,
    secrets: [],
    ...more,
  };
}
