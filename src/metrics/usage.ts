import { percentile, type RunSummary } from './run-summary.js';
import { formatBytes } from './units.js';

/** What a job of one name used over its last runs, against what it was given. */
export interface JobUsage {
  project: string;
  name: string;
  runs: number;
  lastRunAt: string;
  /** The last run's; null: none. */
  limits: RunSummary['limits'];
  /** Highest of all runs, and the 95th percentile of the runs' own; cores. Null: never measured, as the next ones. */
  cpu: { peak: number; p95: number } | null;
  memoryBytes: { peak: number; p95: number } | null;
  /** Seconds that the runs together were held back by their CPU limit. */
  throttledSeconds: number | null;
  /** The same against the CPU time that they used, of those with the last run's CPU limit: that of another one says nothing now. */
  throttledPart: number | null;
  oomKills: number;
  /** One line for a person. */
  advice: string;
}

/** @param runs of any names, in any order */
export function summarizeUsage(runs: readonly RunSummary[]): JobUsage[] {
  const groups = new Map<string, RunSummary[]>();
  for (const run of runs) {
    const key = JSON.stringify([run.project, run.name]);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].map(usageOf).sort((a, b) => compare(a.project, b.project) || compare(a.name, b.name));
}

function usageOf(unordered: RunSummary[]): JobUsage {
  const runs = [...unordered].sort((a, b) => a.endedAtMs - b.endedAtMs);
  const last = runs.at(-1);
  if (last === undefined) throw new Error('A group has at least one run');
  const throttled = measured(runs, (run) => run.throttledSeconds);
  const usage = {
    project: last.project,
    name: last.name,
    runs: runs.length,
    lastRunAt: new Date(last.endedAtMs).toISOString(),
    limits: last.limits,
    cpu: figures(measured(runs, (run) => run.cpu)),
    memoryBytes: figures(measured(runs, (run) => run.memoryBytes)),
    throttledSeconds: throttled.length === 0 ? null : sum(throttled),
    throttledPart: throttledPartOf(runs.filter(({ limits }) => limits.cpus === last.limits.cpus)),
    oomKills: killsOf(runs),
  };
  const hadAsMuch = runs.filter(({ limits }) => memoryOf(limits) >= memoryOf(last.limits));
  return { ...usage, advice: advise(usage, killsOf(hadAsMuch)) };
}

function throttledPartOf(runs: readonly RunSummary[]): number | null {
  const throttled = measured(runs, (run) => run.throttledSeconds);
  const cpuSeconds = sum(measured(runs, (run) => run.cpuSeconds));
  return throttled.length === 0 || cpuSeconds <= 0 ? null : sum(throttled) / cpuSeconds;
}

function killsOf(runs: readonly RunSummary[]): number {
  return sum(runs.map((run) => run.oomKills));
}

function memoryOf({ memoryBytes }: RunSummary['limits']): number {
  return memoryBytes ?? Infinity;
}

function figures(runs: { peak: number; p95: number }[]): { peak: number; p95: number } | null {
  if (runs.length === 0) return null;
  return {
    peak: Math.max(...runs.map(({ peak }) => peak)),
    p95: percentile(
      runs.map(({ p95 }) => p95),
      0.95,
    ),
  };
}

/** Fewer say little: one run may have had everything cached. */
const ENOUGH_RUNS = 3;
/** A peak below half of a limit is room that another job could have. */
const ROOMY = 0.5;
/** Above this a slightly larger input ends in the kernel's hands. */
const TIGHT = 0.9;
/** Held back for a tenth of the time that it computed. */
const THROTTLED = 0.1;
/** Room left above a peak in what is advised. */
const HEADROOM = 1.3;

/**
 * What to do about the limits, most urgent first.
 * @param kills those of runs that had at least the memory that the last one had: one under a limit that was raised since is mended
 */
function advise(usage: Omit<JobUsage, 'advice'>, kills: number): string {
  const { limits, cpu, memoryBytes: memory, runs } = usage;
  if (kills > 0) {
    const had = limits.memoryBytes === null ? 'without a limit of its own' : `with ${formatBytes(limits.memoryBytes)}`;
    return `was out of memory ${times(kills)} ${had}: give it more`;
  }
  if (cpu === null && memory === null) return 'not measured yet';
  const lines = [memoryAdvice(limits.memoryBytes, memory, runs), cpuAdvice(usage)].filter((line) => line !== '');
  if (lines.length > 0) return lines.join('; ');
  if (limits.memoryBytes === null && limits.cpus === null) {
    return `no limits; used up to ${[memory === null ? '' : formatBytes(memory.peak), cpu === null ? '' : cores(cpu.peak)].filter((part) => part !== '').join(' and ')}`;
  }
  return runs < ENOUGH_RUNS ? `too few runs to say (${String(runs)})` : 'fits';
}

function memoryAdvice(limit: number | null, memory: JobUsage['memoryBytes'], runs: number): string {
  if (limit === null || memory === null) return '';
  if (memory.peak > TIGHT * limit) return `came to ${formatBytes(memory.peak)} of ${formatBytes(limit)}: give it more`;
  if (runs < ENOUGH_RUNS || memory.peak > ROOMY * limit) return '';
  return `asks ${formatBytes(limit)}, never used more than ${formatBytes(memory.peak)}: ${formatBytes(roundUp(memory.peak * HEADROOM))} would do`;
}

function cpuAdvice({ limits: { cpus }, cpu, throttledPart, runs }: Omit<JobUsage, 'advice'>): string {
  if (throttledPart !== null && throttledPart > THROTTLED) {
    return `its CPU limit held it back for ${String(Math.round(throttledPart * 100))} % of its CPU time: give it more`;
  }
  if (cpus === null || cpu === null || runs < ENOUGH_RUNS || cpu.peak > ROOMY * cpus) return '';
  return `asks ${cores(cpus)}, never used more than ${cores(cpu.peak)}`;
}

/** To whole 64 MiB: a limit is a round number. */
function roundUp(bytes: number): number {
  const unit = 64 * 1024 * 1024;
  return Math.ceil(bytes / unit) * unit;
}

function cores(value: number): string {
  return `${String(Number(value.toFixed(2)))} ${value === 1 ? 'core' : 'cores'}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${String(count)} times`;
}

function measured<T>(runs: readonly RunSummary[], read: (run: RunSummary) => T | undefined): T[] {
  return runs.map(read).filter((value): value is T & {} => value !== undefined);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
