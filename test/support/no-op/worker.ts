import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../../src/config/load.js';
import { createLogger } from '../../../src/telemetry/logger.js';
import { runWorker } from '../../../src/worker/run-worker.js';
import { createNoOpEngine } from './engine.js';

/** The worker as it is, on machines that do nothing; they are beside its configuration. */
const { values } = parseArgs({ options: { config: { type: 'string' } } });
const file = values.config ?? 'holdfast.yaml';
const { config } = loadConfig({ file });
await runWorker({
  config,
  logger: createLogger(config.log.level),
  createEngine: ({ settings: { name, capacity } }) =>
    createNoOpEngine({ name, capacity, directory: join(dirname(file), 'no-op') }),
});
