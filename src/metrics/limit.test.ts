import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLimiter } from './limit.js';

describe('createLimiter', () => {
  it('never runs more works at once than it may, runs each, and hands on what each returns or throws', async () => {
    const works = fc.array(fc.record({ ticks: fc.integer({ min: 0, max: 5 }), fails: fc.boolean() }), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(works, fc.integer({ min: 1, max: 6 }), async (given, most) => {
        const limited = createLimiter(most);
        let running = 0;
        let highest = 0;

        const results = await Promise.allSettled(
          given.map(({ ticks, fails }, index) =>
            limited(async () => {
              running += 1;
              highest = Math.max(highest, running);
              for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
              running -= 1;
              if (fails) throw new Error('failed');
              return index;
            }),
          ),
        );

        expect(highest).toBeLessThanOrEqual(most);
        expect(highest).toBe(Math.min(most, given.length, highest));
        expect(results.map(({ status }) => status)).toEqual(
          given.map(({ fails }) => (fails ? 'rejected' : 'fulfilled')),
        );
      }),
    );
  });

  it('lets one that waits give up, and gives its place to nobody', async () => {
    const limited = createLimiter(1);
    let finish: () => void = () => undefined;
    const first = limited(() => new Promise<void>((resolve) => (finish = resolve)));
    const impatient = new AbortController();
    const second = limited(() => Promise.resolve('never'), impatient.signal);
    impatient.abort(new Error('no patience'));

    await expect(second).rejects.toThrow('no patience');
    finish();
    await first;
    await expect(limited(() => Promise.resolve('next'))).resolves.toBe('next');
  });

  it('does not begin what was given up before', async () => {
    await expect(createLimiter(1)(() => Promise.resolve(1), AbortSignal.abort(new Error('over')))).rejects.toThrow(
      'over',
    );
  });
});
