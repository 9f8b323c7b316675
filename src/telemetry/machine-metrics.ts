import { Counter, Gauge, type Registry } from 'prom-client';
import type { MachineSample } from '../machines/engine.js';
import { MACHINE_START_TIME } from '../metrics/machine-start.js';
import { COUNTER_FIELDS, type CounterField, type Counters } from './machine-counters.js';

const COUNTERS: Record<CounterField, { name: string; help: string }> = {
  cpuSeconds: { name: 'holdfast_machine_cpu_seconds_total', help: 'CPU time of all containers of the machine' },
  throttledSeconds: {
    name: 'holdfast_machine_cpu_throttled_seconds_total',
    help: 'Time for which the machine was denied CPU by its limit',
  },
  networkReceiveBytes: {
    name: 'holdfast_machine_network_receive_bytes_total',
    help: 'Bytes received by the machine',
  },
  networkTransmitBytes: { name: 'holdfast_machine_network_transmit_bytes_total', help: 'Bytes sent by the machine' },
  diskReadBytes: { name: 'holdfast_machine_disk_read_bytes_total', help: 'Bytes read from block devices' },
  diskWrittenBytes: { name: 'holdfast_machine_disk_written_bytes_total', help: 'Bytes written to block devices' },
};

/** The metrics with a label `machine`. Their cardinality is that of the machines of the last two minutes. */
export interface MachineMetrics {
  set(machine: string, sample: Pick<MachineSample, 'memoryBytes' | 'memoryLimitBytes'>): void;
  /** @param countedFromMs Unix milliseconds: nothing that the machine used before is in its counters */
  begin(machine: string, countedFromMs: number): void;
  add(machine: string, used: Counters): void;
  remove(machine: string): void;
  /** The metrics of one machine alone, in Prometheus' text format. */
  textOf(machine: string): Promise<string>;
}

export function createMachineMetrics(registry: Registry): MachineMetrics {
  const registers = [registry];
  const labelNames = ['machine'] as const;
  const memory = new Gauge({
    name: 'holdfast_machine_memory_bytes',
    help: 'Memory of the machine without droppable page cache',
    labelNames,
    registers,
  });
  const memoryLimit = new Gauge({
    name: 'holdfast_machine_memory_limit_bytes',
    help: 'Memory limit of the machine; that of the host where it has none',
    labelNames,
    registers,
  });
  const startTime = new Gauge({
    name: MACHINE_START_TIME,
    help: 'Unix time from which the counters of the machine count: its start, or that of the worker if later',
    labelNames,
    registers,
  });
  const counters = new Map(
    COUNTER_FIELDS.map((field) => [field, new Counter({ ...COUNTERS[field], labelNames, registers })] as const),
  );
  const names = [
    'holdfast_machine_memory_bytes',
    'holdfast_machine_memory_limit_bytes',
    MACHINE_START_TIME,
    ...COUNTER_FIELDS.map((field) => COUNTERS[field].name),
  ];
  return {
    set(machine, { memoryBytes, memoryLimitBytes }) {
      memory.set({ machine }, memoryBytes);
      if (memoryLimitBytes !== undefined) memoryLimit.set({ machine }, memoryLimitBytes);
    },
    begin: (machine, countedFromMs) => startTime.set({ machine }, countedFromMs / 1000),
    add(machine, used) {
      // Also by 0: a series that is there from the start is what makes the first increase visible to a rate.
      for (const field of COUNTER_FIELDS) {
        const value = used[field];
        if (value !== undefined) counters.get(field)?.inc({ machine }, value);
      }
    },
    remove(machine) {
      for (const metric of [memory, memoryLimit, startTime, ...counters.values()]) metric.remove({ machine });
    },
    async textOf(machine) {
      const label = `{machine="${escapeLabel(machine)}"}`;
      const texts = await Promise.all(names.map((name) => registry.getSingleMetricAsString(name)));
      const lines = texts.flatMap((text) => text.split('\n'));
      return `${lines.filter((line) => line.startsWith('#') || line.includes(label)).join('\n')}\n`;
    },
  };
}

/** As the text format has it, and prom-client writes it. */
function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
