/** What is asked of Prometheus for a job, by name; `{selector}` and `{interval}` are filled in, all other braces are PromQL's. */
export type MetricQueries = Readonly<Record<string, string>>;

/** From Holdfast's own machine metrics. */
export const HOLDFAST_QUERIES: MetricQueries = {
  cpu: 'rate(holdfast_machine_cpu_seconds_total{{selector}}[{interval}])',
  memory: 'holdfast_machine_memory_bytes{{selector}}',
  network_receive: 'rate(holdfast_machine_network_receive_bytes_total{{selector}}[{interval}])',
  network_transmit: 'rate(holdfast_machine_network_transmit_bytes_total{{selector}}[{interval}])',
  disk_read: 'rate(holdfast_machine_disk_read_bytes_total{{selector}}[{interval}])',
  disk_write: 'rate(holdfast_machine_disk_written_bytes_total{{selector}}[{interval}])',
};

/** A rate needs two samples in its interval: four steps are Prometheus' own advice. */
const STEPS_PER_INTERVAL = 4;

export function fillQuery(template: string, selector: { name: string; value: string }, stepMs: number): string {
  const escaped = selector.value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  const seconds = Math.ceil((stepMs * STEPS_PER_INTERVAL) / 1000);
  return template
    .replaceAll('{selector}', () => `${selector.name}="${escaped}"`)
    .replaceAll('{interval}', () => `${String(seconds)}s`);
}

/** A graph is no better for more points than this. */
const MAX_POINTS = 1000;
/** Prometheus refuses a range query of more. */
export const MAX_POINTS_PER_QUERY = 11_000;

/** @returns the configured step, or the smallest multiple of it that keeps a long job within 1,000 points */
export function chooseStep(windowMs: number, stepMs: number): number {
  return stepMs * Math.max(1, Math.ceil(windowMs / stepMs / (MAX_POINTS - 1)));
}
