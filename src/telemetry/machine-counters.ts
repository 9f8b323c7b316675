import type { MachineCounters, MachineSample } from '../machines/engine.js';

export const COUNTER_FIELDS = [
  'cpuSeconds',
  'throttledSeconds',
  'networkReceiveBytes',
  'networkTransmitBytes',
  'diskReadBytes',
  'diskWrittenBytes',
] as const;
export type CounterField = (typeof COUNTER_FIELDS)[number];
export type Counters = Partial<Record<CounterField, number>>;

/** The last readings of a machine's parts, by part. */
export type Tally = Map<string, Counters>;

/**
 * What a machine used since the tally's last reading; the tally then holds the new one. Never negative: a container that was
 * started again counts from zero, so that what it has counted is all new, and one that is gone has used nothing since.
 * @returns a field only where it is measured
 */
export function advance(tally: Tally, sample: MachineSample): Counters {
  const used: Counters = {};
  for (const part of partsOf(sample)) {
    const before = tally.get(part.id) ?? {};
    const now = readingsOf(part);
    for (const field of COUNTER_FIELDS) {
      const value = now[field];
      if (value === undefined) continue;
      const last = before[field] ?? 0;
      used[field] = (used[field] ?? 0) + (value >= last ? value - last : value);
    }
    tally.set(part.id, { ...before, ...now });
  }
  return used;
}

/** A provider that makes a machine of its own for each job has one part: the machine. */
function partsOf(sample: MachineSample): readonly MachineCounters[] {
  return sample.parts ?? [{ ...sample, id: '' }];
}

function readingsOf(part: MachineCounters): Counters {
  const readings: Counters = {};
  for (const field of COUNTER_FIELDS) {
    const value = part[field];
    // A reading that is no number must not poison the sum for good.
    if (value !== undefined && Number.isFinite(value) && value >= 0) readings[field] = value;
  }
  return readings;
}
