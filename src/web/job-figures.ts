import { z } from 'zod';
import { isFinalJobState } from '../contracts/names.js';
import type { JobSummary } from '../client/job-summary.js';
import { MetricsDocument, pointsOf } from '../metrics/document.js';
import { parseValue } from '../metrics/values.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';

/** What the list says of a job beyond Temporal's own list. */
export interface JobFigures {
  name?: string;
  /** From queued to the final status. */
  durationMs?: number;
  peakCpu?: number;
  peakMemory?: number;
}

/** Written by `finishJob`. Jobs of before have no times in it. */
const Report = z.object({ times: z.object({ queuedAtMs: z.number(), finishedAtMs: z.number() }).optional() });

const MAX_KEPT = 5_000;

/** Reads figures from the store; those of a job that is over are read once. */
export interface JobFigureReader {
  read(jobs: readonly JobSummary[]): Promise<Map<string, JobFigures>>;
}

export function createJobFigureReader(store: Store): JobFigureReader {
  const kept = new Map<string, JobFigures>();

  async function figuresOf(job: JobSummary): Promise<JobFigures> {
    const known = kept.get(job.workflowId);
    if (known !== undefined) return known;
    const figures = await readFigures(store, job.workflowId);
    if (isFinalJobState(job.state) && job.metrics !== 'pending' && job.metrics !== 'failed') {
      if (kept.size >= MAX_KEPT) kept.delete(kept.keys().next().value ?? '');
      kept.set(job.workflowId, figures);
    }
    return figures;
  }

  return {
    async read(jobs) {
      const started = jobs.filter(({ state }) => state !== 'pending');
      return new Map(await Promise.all(started.map(async (job) => [job.workflowId, await figuresOf(job)] as const)));
    },
  };
}

async function readFigures(store: Store, workflowId: string): Promise<JobFigures> {
  const [report, metrics] = await Promise.all([
    store.read(jobKeys.report(workflowId)),
    store.read(jobKeys.metrics(workflowId)),
  ]);
  const times = report === undefined ? undefined : Report.safeParse(JSON.parse(report.toString('utf8'))).data?.times;
  const document =
    metrics === undefined ? undefined : MetricsDocument.safeParse(JSON.parse(metrics.toString('utf8'))).data;
  return {
    ...(times === undefined ? {} : { durationMs: times.finishedAtMs - times.queuedAtMs }),
    ...(document === undefined ? {} : { name: document.name, ...peaksOf(document) }),
  };
}

function peaksOf(document: MetricsDocument): Pick<JobFigures, 'peakCpu' | 'peakMemory'> {
  const cpu = peakOf(document, 'cpu');
  const memory = peakOf(document, 'memory');
  return { ...(cpu === undefined ? {} : { peakCpu: cpu }), ...(memory === undefined ? {} : { peakMemory: memory }) };
}

/** The highest of a query's values, several series made one as the configuration says. */
export function peakOf(document: MetricsDocument, query: string): number | undefined {
  const values = pointsOf(document, query)
    .map(([, value]) => parseValue(value))
    .filter(Number.isFinite);
  return values.length === 0 ? undefined : values.reduce((highest, value) => Math.max(highest, value));
}
