import type { Aggregate } from './values.js';

/** What is asked of Prometheus for a job, by name; `{selector}` and `{interval}` are filled in, all other braces are PromQL's. */
export type MetricQueries = Readonly<Record<string, string>>;

/**
 * From Holdfast's own machine metrics. Two workers may sample the same machine (a rolling restart), and a machine may be
 * scraped by two jobs of Prometheus: `max by` makes them one series, where a sum would count the machine twice. By the machine alone:
 * whatever other labels its scrapers give it (an environment, a replica) would make it two again.
 */
export const HOLDFAST_QUERIES: MetricQueries = {
  cpu: onePerMachine('rate(holdfast_machine_cpu_seconds_total{{selector}}[{interval}])'),
  memory: onePerMachine('holdfast_machine_memory_bytes{{selector}}'),
  network_receive: onePerMachine('rate(holdfast_machine_network_receive_bytes_total{{selector}}[{interval}])'),
  network_transmit: onePerMachine('rate(holdfast_machine_network_transmit_bytes_total{{selector}}[{interval}])'),
  disk_read: onePerMachine('rate(holdfast_machine_disk_read_bytes_total{{selector}}[{interval}])'),
  disk_write: onePerMachine('rate(holdfast_machine_disk_written_bytes_total{{selector}}[{interval}])'),
};

const COUNTER = /\brate\((holdfast_machine_\w+_total)\{/;
const COUNTERS: ReadonlyMap<string, string> = new Map(
  Object.values(HOLDFAST_QUERIES).flatMap((query) => {
    const counter = COUNTER.exec(query)?.[1];
    return counter === undefined ? [] : [[query, counter] as const];
  }),
);

/** @returns the counter whose rate a query of ours is; undefined for any other: nobody but its author knows what its values mean */
export function counterOf(template: string): string | undefined {
  return COUNTERS.get(template);
}

/**
 * From cAdvisor: one series a container of the machine. The engine's `metricsLabel` is then
 * `{name: container_label_holdfast_machine, value: "{machine}"}`.
 */
export const CADVISOR_QUERIES: MetricQueries = {
  cpu: 'sum without (cpu) (rate(container_cpu_usage_seconds_total{{selector}}[{interval}]))',
  memory: 'container_memory_working_set_bytes{{selector}}',
  network_receive: 'sum without (interface) (rate(container_network_receive_bytes_total{{selector}}[{interval}]))',
  network_transmit: 'sum without (interface) (rate(container_network_transmit_bytes_total{{selector}}[{interval}]))',
  disk_read: 'sum without (device) (rate(container_fs_reads_bytes_total{{selector}}[{interval}]))',
  disk_write: 'sum without (device) (rate(container_fs_writes_bytes_total{{selector}}[{interval}]))',
  cpu_throttled: 'rate(container_cpu_cfs_throttled_seconds_total{{selector}}[{interval}])',
};

const REAL_INTERFACES = 'device!~"lo|veth.*|docker.*|br-.*"';

/**
 * From node_exporter, for providers that make a machine of its own for each job: on a shared host these are the figures of all
 * its jobs. The engine's `metricsLabel` is then e.g. `{name: instance, value: "{machine}:9100"}`.
 */
export const NODE_EXPORTER_QUERIES: MetricQueries = {
  cpu: 'sum without (cpu, mode) (rate(node_cpu_seconds_total{mode!~"idle|iowait|steal",{selector}}[{interval}]))',
  memory: 'node_memory_MemTotal_bytes{{selector}} - node_memory_MemAvailable_bytes{{selector}}',
  network_receive: `sum without (device) (rate(node_network_receive_bytes_total{${REAL_INTERFACES},{selector}}[{interval}]))`,
  network_transmit: `sum without (device) (rate(node_network_transmit_bytes_total{${REAL_INTERFACES},{selector}}[{interval}]))`,
  disk_read: 'sum without (device) (rate(node_disk_read_bytes_total{{selector}}[{interval}]))',
  disk_write: 'sum without (device) (rate(node_disk_written_bytes_total{{selector}}[{interval}]))',
};

export const QUERY_PRESETS = {
  holdfast: HOLDFAST_QUERIES,
  cadvisor: CADVISOR_QUERIES,
  node_exporter: NODE_EXPORTER_QUERIES,
} as const satisfies Record<string, MetricQueries>;
export type QueryPreset = keyof typeof QUERY_PRESETS;
export const QUERY_PRESET_NAMES = ['holdfast', 'cadvisor', 'node_exporter'] as const satisfies readonly QueryPreset[];

/** A query as the configuration has it: PromQL alone, or with how its series become one. */
export type ConfiguredQuery = string | { promql: string; aggregate?: Aggregate | undefined };

/** What is asked for a job, and how the several series of a query become one in GitLab's artifact where that is not the default. */
export interface QuerySet {
  queries: MetricQueries;
  aggregates: Readonly<Record<string, Aggregate>>;
}

/** A preset's queries, and over them those of the configuration; without either the built-in preset, with queries alone only those. */
export function chooseQueries(metrics: {
  preset?: QueryPreset | undefined;
  queries?: Readonly<Record<string, ConfiguredQuery>> | undefined;
}): QuerySet {
  const { queries: own } = metrics;
  const preset = metrics.preset ?? (own === undefined ? 'holdfast' : undefined);
  const queries: Record<string, string> = preset === undefined ? {} : { ...QUERY_PRESETS[preset] };
  const aggregates: Record<string, Aggregate> = {};
  for (const [name, query] of Object.entries(own ?? {})) {
    queries[name] = typeof query === 'string' ? query : query.promql;
    if (typeof query !== 'string' && query.aggregate !== undefined) aggregates[name] = query.aggregate;
  }
  return { queries, aggregates };
}

/**
 * Fills in a query's two placeholders; what is put in is not looked at again.
 * @param template e.g. `rate(x{{selector}}[{interval}])`, of which `{selector}` stands inside the metric's own braces
 * @returns e.g. `rate(x{machine="hf-1"}[5s])`
 */
export function fillQuery(template: string, selector: { name: string; value: string }, stepMs: number): string {
  return template.replaceAll(/\{(selector|interval)\}/g, (_match, placeholder: string) =>
    placeholder === 'selector' ? toMatcher(selector) : toPromDuration(stepMs),
  );
}

/** By what our own metrics know the machine: a label of another name belongs to another exporter, they have the machine's own name then. */
export function ownSelector(
  selector: { name: string; value: string },
  machine: string,
): { name: string; value: string } {
  return selector.name === 'machine' ? selector : { name: 'machine', value: machine };
}

/** `label="value"`, the value escaped as PromQL's strings are. */
export function toMatcher(selector: { name: string; value: string }): string {
  const escaped = selector.value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `${selector.name}="${escaped}"`;
}

/** PromQL's durations are whole numbers: `5s`, `1500ms`. */
export function toPromDuration(ms: number): string {
  return ms % 1000 === 0 ? `${String(ms / 1000)}s` : `${String(ms)}ms`;
}

const PROM_UNITS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** @param text as Prometheus writes it, e.g. `15d`, `1h30m`, `15d or 1GiB`. @returns milliseconds; undefined: no duration in it */
export function parsePromDuration(text: string): number | undefined {
  const duration = text.split(' or ').find((part) => /^(\d+(ms|[smhdwy]))+$/.test(part));
  if (duration === undefined) return undefined;
  return [...duration.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (PROM_UNITS[unit ?? ''] ?? 0),
    0,
  );
}

function onePerMachine(query: string): string {
  return `max by (machine) (${query})`;
}
