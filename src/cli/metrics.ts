import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { HoldfastClient, JobStatus } from '../client.js';
import { MetricsDocument } from '../metrics/document.js';
import { jobKeys } from '../store/keys.js';
import { printJson, say, withClient, type CommonOptions } from './context.js';
import { UsageError } from './exit-codes.js';
import { replayCommand } from './metrics-replay.js';

export function addMetrics(program: Command): void {
  const metrics = program
    .command('metrics')
    .description("a job's performance graphs")
    .argument('<id>', 'workflow id or its last part')
    .option('--json', 'print the full document')
    .option('--html <file>', 'write the graphs as one self-contained page')
    .option('--config <file>', 'configuration')
    // Else the options after "replay" that this command has, too, would be taken for its own.
    .enablePositionalOptions()
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
      const { columns, isTTY: tty } = process.stdout;
      // `hasColors` knows NO_COLOR and TERM; without a terminal it is not there.
      process.stdout.write(
        renderMetrics(document, { width: columns || 80, tty, color: tty && process.stdout.hasColors() }),
      );
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
  throw new UsageError(noMetricsText(status, reason));
}

/** Where there were none to collect, nothing can be collected again. */
export function noMetricsText({ id, workflowId, metrics }: JobStatus, reason: string): string {
  const remedy = metrics === 'none' ? '' : `. "holdfast metrics replay ${id}" tries again`;
  return `No metrics are kept of ${workflowId}: they are ${metrics}${reason}${remedy}`;
}
