import { Option, type Command } from 'commander';
import type { JobSummary } from '../client.js';
import { JOB_STATES, METRICS_STATES, type JobState, type MetricsState } from '../contracts/names.js';
import { inColumns } from './columns.js';
import { printJson, withClient, type CommonOptions } from './context.js';
import { UsageError } from './exit-codes.js';

interface JobsOptions extends CommonOptions {
  state?: JobState;
  metrics?: MetricsState;
  flag?: string;
  limit: number;
}

export function addJobs(program: Command): void {
  program
    .command('jobs')
    .description('list jobs, newest first')
    .addOption(new Option('--state <state>').choices(JOB_STATES))
    .addOption(new Option('--metrics <state>').choices(METRICS_STATES))
    .option('--flag <name>', 'only jobs with this flag')
    .option('--limit <n>', 'how many', positiveInteger, 50)
    .option('--json', 'print JSON')
    .option('--config <file>', 'configuration')
    .action(async ({ state, metrics, flag, limit, ...common }: JobsOptions) => {
      await withClient(common, async (client) => {
        const jobs = await client.listJobs({
          limit,
          ...(state === undefined ? {} : { state }),
          ...(metrics === undefined ? {} : { metrics }),
          ...(flag === undefined ? {} : { flag }),
        });
        if (common.json === true) printJson(await client.jobFacts(jobs));
        else process.stdout.write(table(jobs));
      });
    });
}

function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UsageError(`--limit "${text}" is not a number from 1 to 999999`);
}

function reasonOf({ state, failureReason, unknownKey }: JobSummary): string {
  const reason = state === 'failed' ? (failureReason ?? '') : '';
  return [reason, ...(unknownKey === undefined ? [] : [`sealed with unknown key "${unknownKey}"`])].join(' ').trim();
}

function table(jobs: JobSummary[]): string {
  if (jobs.length === 0) return 'no jobs\n';
  const rows = [
    ['JOB', 'STATE', 'METRICS', 'PROJECT', 'QUEUED', 'REASON'],
    ...jobs.map((job) => [
      job.workflowId,
      job.state,
      job.metrics ?? '',
      job.project ?? '',
      job.queuedAt.slice(0, 19).replace('T', ' '),
      reasonOf(job),
    ]),
  ];
  return `${inColumns(rows)}\n`;
}
