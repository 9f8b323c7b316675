import type { Command } from 'commander';
import { say, withClient, type CommonOptions } from './context.js';

export function addCancel(program: Command): void {
  program
    .command('cancel')
    .description('cancel a job: its script is ended, after_script still runs')
    .argument('<id>', 'workflow id or its last part')
    .option('--reason <text>', 'kept in the history')
    .option('--config <file>', 'configuration')
    .action(async (id: string, options: CommonOptions & { reason?: string }) => {
      await withClient(options, async (client) => {
        const job = await client.job(id);
        await job.status();
        await job.cancel(options.reason);
        say(`${job.workflowId} is being canceled`);
      });
    });
}
