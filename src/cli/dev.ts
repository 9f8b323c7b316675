import type { Command } from 'commander';
import { say } from './context.js';

export function addDev(program: Command): void {
  program
    .command('dev')
    .description('everything on one machine: Temporal, Prometheus, a worker; state in .holdfast/')
    .option('--config <file>', 'configuration; addresses are filled in')
    .option('--state <directory>', 'where the state is', '.holdfast')
    .option('--ports <base>', 'first of a row of ports to use, or "auto"')
    .action(async (options: { config?: string; state: string; ports?: string }) => {
      const { startDev } = await import('../dev/dev-stack.js');
      const stack = await startDev({
        stateDirectory: options.state,
        ...(options.config === undefined ? {} : { configFile: options.config }),
        ...(options.ports === undefined ? {} : { ports: options.ports }),
        say,
      });
      say('Running. Ctrl-C stops everything; jobs go on at the next start.');
      await new Promise<void>((resolve) => {
        process.once('SIGINT', resolve);
        process.once('SIGTERM', resolve);
      });
      await stack.stop();
    });
}
