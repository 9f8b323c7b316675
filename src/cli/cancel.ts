import type { Command } from 'commander';
import type { JobHandle } from '../client.js';
import { isFinalJobState } from '../contracts/names.js';
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
        say(await cancelJob(await client.job(id), options.reason));
      });
    });
}

/** @returns what came of it, for a person */
export async function cancelJob(
  job: Pick<JobHandle, 'workflowId' | 'status' | 'cancel'>,
  reason?: string,
): Promise<string> {
  const { state } = await job.status();
  if (isFinalJobState(state)) return `${job.workflowId} is over already: ${state}. Nothing was canceled`;
  await job.cancel(reason);
  return `${job.workflowId} is being canceled`;
}
