import type { FlightEntry } from '../contracts/job-life.js';

/** Failures of one activity that are kept: an outage of hours is one entry, so this many is a strange day. */
const MAX_ENTRIES = 40;

/** @returns what is readable of it: it is written by a worker of any version */
export function parseFlight(content: Buffer | undefined): FlightEntry[] {
  if (content === undefined) return [];
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    return Array.isArray(value) ? value.filter(isEntry) : [];
  } catch {
    return [];
  }
}

/** What ended for the same reason several times in a row is one entry; of very many the middle goes. */
export function mergeFlight(entries: readonly FlightEntry[], next: FlightEntry): FlightEntry[] {
  const kept = entries.filter((entry) => !isBeginOf(entry, next));
  const before = kept.at(-1);
  const list =
    before !== undefined && continues(before, next) ? [...kept.slice(0, -1), joined(before, next)] : [...kept, next];
  if (list.length <= MAX_ENTRIES) return list;
  return [...list.slice(0, MAX_ENTRIES / 2), ...list.slice(-MAX_ENTRIES / 2)];
}

function isBeginOf(entry: FlightEntry, end: FlightEntry): boolean {
  return end.troubles === undefined && entry.failure === undefined && entry.first === end.first;
}

function continues(before: FlightEntry, next: FlightEntry): boolean {
  if (before.failure === undefined || before.failure.code !== next.failure?.code) return false;
  if (before.worker !== next.worker || (before.troubles === undefined) !== (next.troubles === undefined)) return false;
  return next.troubles === undefined ? next.first === before.last + 1 : next.first === before.last;
}

function joined(before: FlightEntry, next: FlightEntry): FlightEntry {
  return {
    ...next,
    first: before.first,
    startedAtMs: before.startedAtMs,
    ...(before.troubles === undefined ? {} : { troubles: before.troubles + 1 }),
  };
}

function isEntry(value: unknown): value is FlightEntry {
  return (
    typeof value === 'object' &&
    value !== null &&
    'first' in value &&
    typeof value.first === 'number' &&
    'last' in value &&
    typeof value.last === 'number' &&
    'startedAtMs' in value &&
    typeof value.startedAtMs === 'number' &&
    'worker' in value &&
    typeof value.worker === 'string'
  );
}
