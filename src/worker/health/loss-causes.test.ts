import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLossCauses } from './loss-causes.js';

function setup() {
  const clock = { ms: 0 };
  return { clock, causes: createLossCauses(() => clock.ms) };
}

describe('the cause of a loss', () => {
  it('is one for all machines whose steps were under way when it showed', () => {
    const { clock, causes } = setup();
    const seen = Array.from({ length: 10 }, (_, index) => {
      clock.ms += 700;
      return causes.isNew(`m${String(index)}`, clock.ms); // asked for at 0
    });

    expect(seen.filter(Boolean)).toHaveLength(1);
  });

  it('is a new one for a step that was asked for afterwards, but once a machine', () => {
    const { clock, causes } = setup();
    clock.ms = 10_000;
    expect(causes.isNew('a', 5_000)).toBe(true);
    clock.ms = 20_000;
    expect(causes.isNew('a', 1_000)).toBe(false);
    expect(causes.isNew('b', 1_000)).toBe(true);
  });

  it('is settled by an outage that is over', () => {
    const { clock, causes } = setup();
    clock.ms = 20_000;
    causes.settle();
    clock.ms = 21_000;

    expect(causes.isNew('a', 2_000)).toBe(false);
    expect(causes.isNew('b', 500)).toBe(true);
  });

  it('is never counted more often than machines were lost, and never by two steps that were under way together', () => {
    const loss = fc.record({
      machine: fc.integer({ min: 0, max: 8 }),
      passed: fc.integer({ min: 1, max: 50 }),
      age: fc.nat(200),
    });
    fc.assert(
      fc.property(fc.array(loss, { maxLength: 40 }), (losses) => {
        const { clock, causes } = setup();
        const counted: { machine: number; from: number; to: number }[] = [];
        for (const { machine, passed, age } of losses) {
          clock.ms += passed;
          if (causes.isNew(String(machine), age)) counted.push({ machine, from: clock.ms - age, to: clock.ms });
        }

        expect(new Set(counted.map(({ machine }) => machine)).size).toBe(counted.length);
        for (const [index, { from }] of counted.entries())
          expect(from).toBeGreaterThan(counted[index - 1]?.to ?? -Infinity);
      }),
    );
  });
});
