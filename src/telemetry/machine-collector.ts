import { Counter, Gauge, type Registry } from 'prom-client';
import type { Engine, MachineSample } from '../machines/engine.js';
import type { Logger } from './logger.js';
import type { WorkerMetrics } from './metrics.js';

/** After its end a machine's last values are served for this long: two scrapes at Prometheus' usual minute would be missed anyway. */
const KEEP_MS = 60_000;

const COUNTERS = {
  cpuSeconds: 'machine_cpu_seconds_total',
  networkReceiveBytes: 'machine_network_receive_bytes_total',
  networkTransmitBytes: 'machine_network_transmit_bytes_total',
  diskReadBytes: 'machine_disk_read_bytes_total',
  diskWrittenBytes: 'machine_disk_written_bytes_total',
  throttledSeconds: 'machine_cpu_throttled_seconds_total',
} as const;
type CounterField = keyof typeof COUNTERS;

const HELP: Record<CounterField, string> = {
  cpuSeconds: 'CPU time of all containers of the machine',
  networkReceiveBytes: 'Bytes received by the machine',
  networkTransmitBytes: 'Bytes sent by the machine',
  diskReadBytes: 'Bytes read from block devices',
  diskWrittenBytes: 'Bytes written to block devices',
  throttledSeconds: 'Time for which the machine was denied CPU by its limit',
};

/** Samples the machines of this worker's engines and serves them with a label `machine`. */
export interface MachineCollector {
  start(): void;
  stop(): void;
  /** The live machines by engine, as of the last sample. */
  live(): { machine: string; engine: string; job: string }[];
}

interface Known {
  engine: string;
  job: string;
  seenAtMs: number;
  last: Record<CounterField, number>;
}

export function createMachineCollector(deps: {
  engines: readonly Engine[];
  metrics: WorkerMetrics;
  logger: Logger;
  intervalMs: number;
}): MachineCollector {
  const { engines, metrics, logger } = deps;
  const published = createPublished(metrics.registry);
  const machines = new Map<string, Known>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function publish(engine: Engine, sample: MachineSample): void {
    const { value } = engine.metricsLabel(sample.machine);
    const known = machines.get(value) ?? { engine: engine.name, job: sample.job, seenAtMs: 0, last: zero() };
    machines.set(value, known);
    known.seenAtMs = Date.now();
    published.memory.set({ machine: value }, sample.memoryBytes);
    if (sample.memoryLimitBytes !== undefined) published.memoryLimit.set({ machine: value }, sample.memoryLimitBytes);
    for (const field of Object.keys(COUNTERS) as CounterField[]) {
      const now = sample[field] ?? 0;
      const before = known.last[field];
      // A container that is started again counts from zero: what it has counted since is all new.
      const delta = now >= before ? now - before : now;
      if (delta > 0) published.counters[field].inc({ machine: value }, delta);
      else published.counters[field].inc({ machine: value }, 0);
      known.last[field] = now;
    }
  }

  function forget(): void {
    const before = Date.now() - KEEP_MS;
    for (const [machine, known] of machines) {
      if (known.seenAtMs > before) continue;
      machines.delete(machine);
      published.memory.remove({ machine });
      published.memoryLimit.remove({ machine });
      for (const counter of Object.values(published.counters)) counter.remove({ machine });
    }
  }

  async function sample(): Promise<void> {
    await Promise.all(
      engines.map(async (engine) => {
        metrics.capacity.set({ engine: engine.name }, engine.capacity);
        try {
          for (const entry of await engine.sample({})) publish(engine, entry);
          metrics.machines.set({ engine: engine.name }, engine.capacity - (await engine.freeSlots({})));
        } catch (error) {
          logger.warn({ engine: engine.name, error: String(error) }, 'The machines of an engine could not be sampled');
        }
      }),
    );
    forget();
  }

  function schedule(): void {
    timer = setTimeout(() => {
      void sample().finally(() => {
        if (!stopped) schedule();
      });
    }, deps.intervalMs);
  }

  return {
    start: schedule,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
    live() {
      const recent = Date.now() - deps.intervalMs * 3;
      return [...machines].flatMap(([machine, { engine, job, seenAtMs }]) =>
        seenAtMs > recent ? [{ machine, engine, job }] : [],
      );
    },
  };
}

function zero(): Record<CounterField, number> {
  return {
    cpuSeconds: 0,
    networkReceiveBytes: 0,
    networkTransmitBytes: 0,
    diskReadBytes: 0,
    diskWrittenBytes: 0,
    throttledSeconds: 0,
  };
}

function createPublished(registry: Registry) {
  const registers = [registry];
  const labelNames = ['machine'] as const;
  const counter = (field: CounterField) =>
    new Counter({ name: `holdfast_${COUNTERS[field]}`, help: HELP[field], labelNames, registers });
  return {
    memory: new Gauge({
      name: 'holdfast_machine_memory_bytes',
      help: 'Memory of the machine without droppable page cache',
      labelNames,
      registers,
    }),
    memoryLimit: new Gauge({
      name: 'holdfast_machine_memory_limit_bytes',
      help: 'Memory limit of the machine',
      labelNames,
      registers,
    }),
    counters: {
      cpuSeconds: counter('cpuSeconds'),
      networkReceiveBytes: counter('networkReceiveBytes'),
      networkTransmitBytes: counter('networkTransmitBytes'),
      diskReadBytes: counter('diskReadBytes'),
      diskWrittenBytes: counter('diskWrittenBytes'),
      throttledSeconds: counter('throttledSeconds'),
    } satisfies Record<CounterField, Counter<'machine'>>,
  };
}
