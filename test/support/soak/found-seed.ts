import { expect, it } from 'vitest';
import { soak } from './soak.js';

/** What a seed has found stays found. A file of its own for each, since they take minutes and may run at once. */
export function foundSeed(seed: number, minutes: number, draws?: 'first'): void {
  it(`soak of seed ${String(seed)}, ${String(minutes)} min`, { timeout: 15 * 60_000 }, async () => {
    const { broken, kept } = await soak(seed, minutes, (line) => process.stdout.write(`${line}\n`), draws);

    expect(broken.join('\n'), kept).toBe('');
  });
}
