import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replayMany } from './replay-many.js';

const quick = { perSecond: 1e6, onResult: () => undefined, signal: new AbortController().signal };

describe('replayMany', () => {
  it('replays each job once, never more at once than it may, and tells them in order', async () => {
    const ids = fc.array(fc.stringMatching(/^job\/[a-c]{1,2}$/));
    await fc.assert(
      fc.asyncProperty(ids, fc.integer({ min: 1, max: 4 }), async (given, atOnce) => {
        const begun: string[] = [];
        let running = 0;
        const replay = async (id: string) => {
          begun.push(id);
          running += 1;
          expect(running).toBeLessThanOrEqual(atOnce);
          await Promise.resolve();
          running -= 1;
          return { outcome: 'stored' as const, reason: id };
        };

        const results = await replayMany(given, replay, { ...quick, atOnce });

        expect([...begun].sort()).toEqual([...new Set(given)].sort());
        expect(results.map(({ workflowId }) => workflowId)).toEqual([...new Set(given)]);
      }),
    );
  });

  it('makes of an error the outcome of that job alone', async () => {
    const replay = (id: string) =>
      id === 'job/b'
        ? Promise.reject(new Error('no answer'))
        : Promise.resolve({ outcome: 'uploaded' as const, reason: '' });

    const results = await replayMany(['job/a', 'job/b', 'job/c'], replay, { ...quick, atOnce: 2 });

    expect(results).toEqual([
      { id: 'a', workflowId: 'job/a', outcome: 'uploaded', reason: '' },
      { id: 'b', workflowId: 'job/b', outcome: 'failed', reason: 'no answer' },
      { id: 'c', workflowId: 'job/c', outcome: 'uploaded', reason: '' },
    ]);
  });

  it('begins nothing new when it is interrupted, and tells what is done', async () => {
    const stop = new AbortController();
    const replay = () => Promise.resolve({ outcome: 'stored' as const, reason: '' });

    const results = await replayMany(['job/a', 'job/b', 'job/c'], replay, {
      ...quick,
      atOnce: 1,
      signal: stop.signal,
      onResult: () => stop.abort(),
    });

    expect(results.map(({ id }) => id)).toEqual(['a']);
  });
});
