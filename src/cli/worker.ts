import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { EXIT, exitCodeOfError } from './exit-codes.js';

export function addWorker(program: Command): void {
  program
    .command('worker')
    .description('one worker process; SIGTERM hands running jobs over, SIGQUIT drains')
    .option('--config <file>', 'configuration')
    .action(async (options: { config?: string }) => {
      const { config, warnings } = loadConfig({ file: options.config, ignoreRunningDev: true });
      const [{ createLogger }, { runWorker }] = await Promise.all([
        import('../telemetry/logger.js'),
        import('../worker/run-worker.js'),
      ]);
      const logger = createLogger(config.log.level);
      for (const warning of warnings) logger.warn({ warning }, 'Configuration warning');
      try {
        await runWorker({ config, logger });
        // What could not be ended in time would keep the process alive.
        process.exit(EXIT.success);
      } catch (error) {
        process.stderr.write(`holdfast: ${error instanceof Error ? error.message : String(error)}\n`);
        // What a worker that did not come up has opened would keep its process alive.
        process.exit(exitCodeOfError(error));
      }
    });
}
