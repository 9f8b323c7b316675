import type { Command } from 'commander';
import { say, withClient, type CommonOptions } from './context.js';

export function addRelease(program: Command): void {
  program
    .command('release')
    .description('end the hold of a job: its machine goes')
    .argument('<id>', 'workflow id or its last part')
    .option('--config <file>', 'configuration')
    .action(async (id: string, options: CommonOptions) => {
      await withClient(options, async (client) => {
        const job = await client.job(id);
        const { heldUntil, machine } = await job.status();
        await job.release();
        say(
          heldUntil === null
            ? `${job.workflowId} is not held now; should it fail, it will not be.`
            : `Machine ${machine ?? ''} of ${job.workflowId} is released.`,
        );
      });
    });
}
