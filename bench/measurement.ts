import type { Bench } from './bench.js';

/** Something that can be measured by itself: `npm run bench -- --only NAME`. */
export interface Measurement {
  readonly name: string;
  /** One line for people. */
  readonly about: string;
  run(bench: Bench): Promise<Findings>;
}

export interface Findings {
  /** Everything that was measured, in SI units that stand in the names. */
  figures: Record<string, unknown>;
  aims: Aim[];
}

/** What the project has promised itself, and what it is. */
export interface Aim {
  what: string;
  value: number;
  /** One of the two. */
  atMost?: number;
  atLeast?: number;
  unit: string;
}

export function isMet({ value, atMost = Infinity, atLeast = -Infinity }: Aim): boolean {
  return value <= atMost && value >= atLeast;
}
