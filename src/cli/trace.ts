import type { Command } from 'commander';
import { withClient, writeOut, type CommonOptions } from './context.js';

export function addTrace(program: Command): void {
  program
    .command('trace')
    .description('the trace of a job, byte for byte')
    .argument('<id>', 'workflow id or its last part')
    .option('--follow', 'go on until the trace is whole')
    .option('--config <file>', 'configuration')
    .action(async (id: string, options: CommonOptions & { follow?: boolean }) => {
      await withClient(options, async (client) => {
        const job = await client.job(id);
        await job.status(); // an unknown job is an error, not an empty trace
        for await (const chunk of job.trace({ follow: options.follow === true })) await writeOut(chunk);
      });
    });
}
