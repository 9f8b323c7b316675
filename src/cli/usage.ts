import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import type { JobUsage } from '../metrics/usage.js';
import { formatBytes } from '../metrics/units.js';
import { inColumns } from './columns.js';
import { printJson, say, type CommonOptions } from './context.js';

interface UsageOptions extends CommonOptions {
  project?: string;
}

/** `holdfast usage`: what jobs use of what they ask for. From the store alone: neither Temporal nor Prometheus is asked. */
export function addUsage(program: Command): void {
  program
    .command('usage')
    .description('what each job name used over its last runs, against its limits, with advice')
    .option('--project <path>', 'only this project')
    .option('--json', 'print JSON')
    .option('--config <file>', 'configuration')
    .action(async ({ project, ...options }: UsageOptions) => {
      const { config, warnings } = loadConfig({ file: options.config });
      for (const warning of warnings) say(`warning: ${warning}`);
      const [{ openStore }, { readUsage }] = await Promise.all([
        import('../store/open-store.js'),
        import('../metrics/usage-log.js'),
      ]);
      const usage = await readUsage(await openStore(config.store), project === undefined ? {} : { project });
      if (options.json === true) printJson(usage);
      else process.stdout.write(usageTable(usage));
    });
}

const HEAD = [
  'PROJECT',
  'JOB',
  'RUNS',
  'CPU PEAK',
  'P95',
  'LIMIT',
  'MEMORY PEAK',
  'P95',
  'LIMIT',
  'THROTTLED',
  'OOM',
  'ADVICE',
];

export function usageTable(usage: readonly JobUsage[]): string {
  if (usage.length === 0) return 'no runs are kept yet: they come with the metrics of a finished job\n';
  return `${inColumns([HEAD, ...usage.map(toRow)])}\n`;
}

function toRow(usage: JobUsage): string[] {
  const { cpu, memoryBytes: memory, limits, throttledSeconds } = usage;
  return [
    usage.project,
    usage.name,
    String(usage.runs),
    shown(cpu?.peak, cores),
    shown(cpu?.p95, cores),
    shown(limits.cpus, cores),
    shown(memory?.peak, formatBytes),
    shown(memory?.p95, formatBytes),
    shown(limits.memoryBytes, formatBytes),
    shown(throttledSeconds, (seconds) => `${seconds.toFixed(1)} s`),
    String(usage.oomKills),
    usage.advice,
  ];
}

function shown(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '-' : format(value);
}

function cores(value: number): string {
  return value.toFixed(2);
}
