import { describe, expect, it } from 'vitest';
import { soak } from '../support/soak/soak.js';

/** Seeds that found something, each with its minutes. */
const SEEDS: [number, number][] = [
  // A warm sandbox that a stopping worker removed went to a job.
  [2, 3],
  // A job canceled while the worker that prepared its machine was lost.
  [3, 3],
];

describe('soak: what a seed has found stays found', () => {
  it.each(SEEDS)('seed %i, %i min', { timeout: 15 * 60_000 }, async (seed, minutes) => {
    const { broken, kept } = await soak(seed, minutes, (line) => process.stdout.write(`${line}\n`));

    expect(broken, kept).toEqual([]);
  });
});
