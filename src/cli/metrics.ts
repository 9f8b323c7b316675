import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { HoldfastClient, JobStatus, ReplayMetricsResult } from '../client.js';
import { MetricsDocument } from '../metrics/document.js';
import { jobKeys } from '../store/keys.js';
import { printJson, say, withClient, type CommonOptions } from './context.js';
import { EXIT, UsageError } from './exit-codes.js';

/** Replays at once; each opens a handful of Prometheus queries, one after another. */
const REPLAYS_AT_ONCE = 8;

export function addMetrics(program: Command): void {
  const metrics = program
    .command('metrics')
    .description("a job's performance graphs")
    .argument('<id>', 'workflow id or its last part')
    .option('--json', 'print the full document')
    .option('--html <file>', 'write the graphs as one self-contained page')
    .option('--config <file>', 'configuration')
    .action(async (id: string, options: CommonOptions & { html?: string }) => {
      const { document, status } = await withClient(options, (client) => readDocument(client, id));
      if (options.html !== undefined) {
        await writeReport(options.html, document, status);
        if (options.json !== true) return;
      }
      if (options.json === true) {
        printJson(document);
        return;
      }
      const { renderMetrics } = await import('../metrics/terminal-chart.js');
      process.stdout.write(renderMetrics(document, { width: process.stdout.columns || 80, tty: process.stdout.isTTY }));
    });
  metrics.addCommand(replayCommand());
}

async function writeReport(file: string, document: MetricsDocument, status: JobStatus): Promise<void> {
  const { metricsReport } = await import('../web/report.js');
  const { loadAssets } = await import('../web/assets.js');
  try {
    await writeFile(file, metricsReport(document, status, loadAssets()));
  } catch (cause) {
    throw new UsageError(`--html ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  say(`The graphs are in ${file}`);
}

async function readDocument(
  client: HoldfastClient,
  id: string,
): Promise<{ document: MetricsDocument; status: JobStatus }> {
  const job = await client.job(id);
  const status = await job.status();
  const kept = await client.store.read(jobKeys.metrics(job.workflowId));
  if (kept !== undefined) return { document: MetricsDocument.parse(JSON.parse(kept.toString('utf8'))), status };
  const reason = status.metricsReason === null ? '' : ` (${status.metricsReason})`;
  throw new UsageError(
    `No metrics are kept of ${job.workflowId}: they are ${status.metrics}${reason}. "holdfast metrics replay ${job.id}" tries again`,
  );
}

function replayCommand(): Command {
  return new Command('replay')
    .description('collect and upload again what failed')
    .argument('[id...]', 'workflow ids or their last parts')
    .option('--failed', 'every job whose metrics failed or are still pending')
    .option('--dry-run', 'only say which')
    .option('--limit <n>', 'with --failed: how many at most', Number, 10_000)
    .option('--json', 'print JSON')
    .option('--config <file>', 'configuration')
    .action(async (ids: string[], options: CommonOptions & { failed?: boolean; dryRun?: boolean; limit: number }) => {
      if (ids.length === 0 && options.failed !== true) throw new UsageError('Say which: ids, or --failed');
      const results = await withClient(options, async (client) => {
        const wanted = options.failed === true ? [...ids, ...(await failedJobs(client, options.limit))] : ids;
        if (options.dryRun === true) return wanted.map((id) => ({ id, outcome: 'would be replayed', reason: '' }));
        return await replayAll(client, wanted);
      });
      if (options.json === true) printJson(results);
      else
        for (const { id, outcome, reason } of results)
          process.stdout.write(`${id}  ${outcome}${reason === '' ? '' : `  ${reason}`}\n`);
      if (results.some((result) => result.outcome === 'failed')) process.exitCode = EXIT.systemFailure;
    });
}

async function failedJobs(client: HoldfastClient, limit: number): Promise<string[]> {
  const lists = await Promise.all([
    client.listJobs({ metrics: 'failed', limit }),
    client.listJobs({ metrics: 'pending', limit }),
  ]);
  return lists
    .flat()
    .filter((job) => ['success', 'failed', 'canceled'].includes(job.state))
    .map((job) => job.workflowId);
}

async function replayAll(
  client: HoldfastClient,
  ids: string[],
): Promise<{ id: string; outcome: string; reason: string }[]> {
  const queue = [...new Set(ids)];
  const results: { id: string; outcome: string; reason: string }[] = [];
  await Promise.all(
    Array.from({ length: REPLAYS_AT_ONCE }, async () => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
        const { outcome, reason } = await client
          .replayMetrics(id)
          .catch((error: unknown): Pick<ReplayMetricsResult, 'outcome' | 'reason'> => ({
            outcome: 'failed',
            reason: error instanceof Error ? error.message : String(error),
          }));
        results.push({ id, outcome, reason });
        if (process.stderr.isTTY) say(`${String(results.length)} of ${String(results.length + queue.length)}`);
      }
    }),
  );
  return results;
}
