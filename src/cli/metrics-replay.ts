import { Command } from 'commander';
import type { HoldfastClient } from '../client.js';
import type { ReplayedJob } from '../client/replay-many.js';
import { listIncompleteMetrics } from '../client/incomplete-metrics.js';
import { shortJobId } from '../contracts/names.js';
import { parseDuration } from '../job/durations.js';
import { oneLine } from '../metrics/units.js';
import { printJson, say, withClient, type CommonOptions } from './context.js';
import { EXIT, UsageError } from './exit-codes.js';
import { createProgress } from './progress.js';

/** Each is one workflow, whose questions to Prometheus the worker counts (`metrics.maxQueries`). */
const REPLAYS_AT_ONCE = 16;

interface ReplayOptions extends CommonOptions {
  failed?: boolean;
  since?: Date;
  dryRun?: boolean;
  limit: number;
  rate: number;
}

/** `holdfast metrics replay`: safe to run twice, from two terminals at once, and again after an interruption. */
export function replayCommand(): Command {
  return new Command('replay')
    .description('collect and upload again what failed')
    .argument('[id...]', 'workflow ids or their last parts')
    .option('--failed', 'every finished job whose metrics failed, are still pending, or lack something')
    .option('--since <time>', 'with --failed: only jobs queued since then; "2h", "7d" or ISO 8601', parseSince)
    .option('--dry-run', 'only say which')
    .option('--limit <n>', 'with --failed: how many at most', positive('--limit'), 10_000)
    .option('--rate <n>', 'how many to begin a second, at most', positive('--rate'), 30)
    .option('--json', 'print JSON')
    .option('--config <file>', 'configuration')
    .action(async (ids: string[], options: ReplayOptions) => {
      if (ids.length === 0 && options.failed !== true) throw new UsageError('Say which: ids, or --failed');
      if (options.since !== undefined && options.failed !== true) throw new UsageError('--since goes with --failed');
      await withClient(options, (client) => run(client, ids, options));
    });
}

async function run(client: HoldfastClient, ids: readonly string[], options: ReplayOptions): Promise<void> {
  const wanted = await findJobs(client, ids, options);
  if (options.dryRun === true) {
    show(
      wanted.map((workflowId) => ({ id: shortJobId(workflowId), workflowId, outcome: 'would_replay', reason: '' })),
      options,
    );
    say(`${String(wanted.length)} jobs would be replayed`);
    return;
  }
  const { results, interrupted } = await replay(client, wanted, options);
  show(results, options);
  say(summary(results));
  if (interrupted) {
    say(`interrupted: ${String(wanted.length - results.length)} are left; the same command goes on with them`);
    process.exitCode = EXIT.canceled;
  } else if (results.some(({ outcome }) => outcome === 'failed')) process.exitCode = EXIT.systemFailure;
}

async function findJobs(client: HoldfastClient, ids: readonly string[], options: ReplayOptions): Promise<string[]> {
  const named = await Promise.all(ids.map((id) => client.jobToReplay(id)));
  if (options.failed !== true) return [...new Set(named)];
  const filter = { limit: options.limit, ...(options.since === undefined ? {} : { since: options.since }) };
  const lists = [
    await client.listJobs({ ...filter, metrics: 'failed' }),
    await client.listJobs({ ...filter, metrics: 'pending' }),
    await listIncompleteMetrics(client.temporal, client.store, filter),
  ];
  const finished = lists.flat().filter(({ state }) => ['success', 'failed', 'canceled'].includes(state));
  return [...new Set([...named, ...finished.map(({ workflowId }) => workflowId)])].slice(
    0,
    named.length + options.limit,
  );
}

async function replay(
  client: HoldfastClient,
  wanted: readonly string[],
  { rate }: ReplayOptions,
): Promise<{ results: ReplayedJob[]; interrupted: boolean }> {
  const { replayMany } = await import('../client/replay-many.js');
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  const progress = createProgress(process.stderr, wanted.length);
  const done: ReplayedJob[] = [];
  try {
    const results = await replayMany(wanted, (id) => client.replayMetrics(id), {
      atOnce: REPLAYS_AT_ONCE,
      perSecond: rate,
      signal: stop.signal,
      onResult(result) {
        done.push(result);
        progress.update(done.length, summary(done));
      },
    });
    return { results, interrupted: stop.signal.aborted && results.length < wanted.length };
  } finally {
    progress.end();
    process.removeListener('SIGINT', interrupt);
  }
}

type Line = Pick<ReplayedJob, 'id' | 'workflowId' | 'reason'> & { outcome: string };

function show(results: readonly Line[], { json }: ReplayOptions): void {
  if (json === true) printJson(results);
  else
    for (const { workflowId, outcome, reason } of results)
      process.stdout.write(
        `${workflowId}  ${WORDS[outcome] ?? outcome}${reason === '' ? '' : `  ${oneLine(reason)}`}\n`,
      );
}

const WORDS: Record<string, string> = {
  no_samples: 'no samples left',
  failed: 'still failing',
  would_replay: 'would be replayed',
};

/** @returns e.g. `12 uploaded, 3 no samples left` */
export function summary(results: readonly { outcome: string }[]): string {
  const counts = new Map<string, number>();
  for (const { outcome } of results) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const parts = [...counts].map(([outcome, count]) => `${String(count)} ${WORDS[outcome] ?? outcome}`);
  return parts.length === 0 ? 'nothing to replay' : parts.sort().join(', ');
}

/** @returns a reader of `--since`. @param text a length of time before now, or a moment */
export function parseSince(text: string): Date {
  const ms = parseDuration(text);
  if (ms !== undefined) return new Date(Date.now() - ms);
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined;
  if (at !== undefined && !Number.isNaN(at.getTime())) return at;
  throw new UsageError(
    `--since "${text}" is neither a time such as "2h" or "7d" nor a date such as 2026-01-31T12:00:00Z`,
  );
}

function positive(option: string): (text: string) => number {
  return (text) => {
    if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
    throw new UsageError(`${option} "${text}" is not a number from 1 to 999999`);
  };
}
