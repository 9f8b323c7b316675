import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A machine that was scraped in the past: one core, 300 MiB, a megabyte a second in each direction. */
export interface PastMachine {
  machine: string;
  startMs: number;
  endMs: number;
  everyMs: number;
}

const PER_SECOND: Record<string, number> = {
  holdfast_machine_cpu_seconds_total: 1,
  holdfast_machine_cpu_throttled_seconds_total: 0,
  holdfast_machine_network_receive_bytes_total: 1e6,
  holdfast_machine_network_transmit_bytes_total: 1e6,
  holdfast_machine_disk_read_bytes_total: 1e6,
  holdfast_machine_disk_written_bytes_total: 1e6,
};
export const PAST_MEMORY_BYTES = 300 * 1024 * 1024;

/** Writes blocks into a Prometheus' data directory, which must not be running, by its own tool. */
export function writePastSamples(dataDirectory: string, machines: readonly PastMachine[]): void {
  const lines = Object.entries(PER_SECOND).flatMap(([name, rate]) => [
    `# TYPE ${name.replace(/_total$/, '')} counter`,
    ...machines.flatMap((past) => pointsOf(past, name, (ms) => (rate * (ms - past.startMs)) / 1000)),
  ]);
  const memory = machines.flatMap((past) => pointsOf(past, 'holdfast_machine_memory_bytes', () => PAST_MEMORY_BYTES));
  const text = [...lines, '# TYPE holdfast_machine_memory_bytes gauge', ...memory, '# EOF', ''].join('\n');
  const file = join(dataDirectory, 'past.om');
  writeFileSync(file, text);
  execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, dataDirectory], { stdio: 'ignore' });
  rmSync(file);
}

function pointsOf(
  { machine, startMs, endMs, everyMs }: PastMachine,
  name: string,
  value: (ms: number) => number,
): string[] {
  const points: string[] = [];
  for (let ms = startMs; ms <= endMs; ms += everyMs) {
    points.push(
      `${name}{machine="${machine}",instance="w",job="holdfast"} ${String(value(ms))} ${(ms / 1000).toFixed(3)}`,
    );
  }
  return points;
}
