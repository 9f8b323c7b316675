import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { ConfigError, loadConfig } from './config/load.js';
import { createLogger } from './telemetry/logger.js';
import { runWorker } from './worker/run-worker.js';

/** Entry point of the worker process: `node dist/worker.js [--config FILE]`. */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  try {
    const { config, warnings } = loadConfig({ file: values.config });
    const logger = createLogger(config.log.level);
    for (const warning of warnings) logger.warn({ warning }, 'Configuration warning');
    await runWorker({ config, logger });
    return 0;
  } catch (error) {
    process.stderr.write(`holdfast worker: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof ConfigError ? 64 : 70;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  // What a worker that did not come up has opened, or one that could not end in time, would keep its process alive.
  process.exit(await main());
}
