import { z } from 'zod';
import { pointsOf, type MetricsDocument } from './document.js';
import { parseValue } from './values.js';

const Figures = z.object({ peak: z.number(), p95: z.number() });

/** What is kept of one run for right-sizing: a few numbers, whatever its length. */
export const RunSummary = z.object({
  version: z.literal(1),
  /** Workflow id. */
  job: z.string(),
  name: z.string(),
  project: z.string(),
  /** When its script ended. */
  endedAtMs: z.number(),
  /** From the beginning of provisioning. */
  durationMs: z.number(),
  limits: z.object({ cpus: z.number().nullable(), memoryBytes: z.number().nullable() }),
  oomKills: z.number(),
  /** Cores. Absent: not measured, as the next ones. */
  cpu: Figures.optional(),
  cpuSeconds: z.number().optional(),
  memoryBytes: Figures.optional(),
  throttledSeconds: z.number().optional(),
});
export type RunSummary = z.infer<typeof RunSummary>;

/** By the queries named `cpu` and `memory`, as all presets have them. */
export function summarizeRun(document: MetricsDocument): RunSummary {
  const { job, name, project, window, totals } = document;
  // The window's end is that of a scrape, another one at each collection.
  const scriptEndMs = document.stages.reduce((latest, stage) => Math.max(latest, stage.finishedAtMs), window.startMs);
  const cpu = figuresOf(document, 'cpu');
  const memory = figuresOf(document, 'memory');
  const cpuSeconds = totals?.cpuSeconds ?? areaOf(document, 'cpu');
  const throttled = totals?.cpuThrottledSeconds ?? areaOf(document, 'cpu_throttled');
  return {
    version: 1,
    job,
    name,
    project,
    endedAtMs: scriptEndMs,
    durationMs: Math.max(0, scriptEndMs - window.startMs),
    limits: document.limits ?? { cpus: null, memoryBytes: null },
    oomKills: document.oomKills ?? 0,
    ...(cpu === undefined ? {} : { cpu }),
    ...(cpuSeconds === undefined ? {} : { cpuSeconds }),
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(throttled === undefined ? {} : { throttledSeconds: throttled }),
  };
}

function finiteValues(document: MetricsDocument, query: string): number[] {
  return pointsOf(document, query)
    .map(([, value]) => parseValue(value))
    .filter(Number.isFinite);
}

function figuresOf(document: MetricsDocument, query: string): RunSummary['cpu'] {
  const values = finiteValues(document, query);
  if (values.length === 0) return undefined;
  return { peak: Math.max(...values), p95: percentile(values, 0.95) };
}

/** A rate's area: each point stands for the step before it. */
function areaOf(document: MetricsDocument, query: string): number | undefined {
  const values = finiteValues(document, query);
  if (values.length === 0) return undefined;
  return (values.reduce((sum, value) => sum + value, 0) * document.stepMs) / 1000;
}

/** The smallest of the values that at least this part of them does not exceed (nearest rank). */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? NaN;
}
