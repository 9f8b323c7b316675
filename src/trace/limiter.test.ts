import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLimiter, parseLimiterState, renderTail, serializeLimiterState, TAIL_BYTES } from './limiter.js';

function limited(limitBytes: number, chunks: Buffer[], suspendAfter = -1): { head: Buffer; rest: Buffer } {
  let limiter = createLimiter({ limitBytes });
  const head = chunks.map((chunk, index) => {
    const output = limiter.push(chunk);
    if (index === suspendAfter) {
      limiter = createLimiter({ limitBytes, state: parseLimiterState(serializeLimiterState(limiter.state())) });
    }
    return output;
  });
  return { head: Buffer.concat(head), rest: renderTail(limiter.state()) };
}

describe('limiter', () => {
  it('changes nothing below the limit', () => {
    const { head, rest } = limited(100, [Buffer.from('hello '), Buffer.from('world')]);
    expect(head.toString()).toBe('hello world');
    expect(rest).toHaveLength(0);
  });

  it('leaves nothing out and says nothing when the end still fits into the tail', () => {
    const { head, rest } = limited(5, [Buffer.from('hello world')]);
    expect(head.toString() + rest.toString()).toBe('hello world');
  });

  it('names the limit and exactly the bytes that are missing', () => {
    const total = 300_000;
    const { head, rest } = limited(1000, [Buffer.alloc(total, 'x')]);
    const notice = /exceeded limit of (\d+) bytes\. (\d+) bytes were left out/.exec(rest.toString());
    expect(notice?.[1]).toBe('1000');
    expect(Number(notice?.[2])).toBe(total - head.length - TAIL_BYTES);
  });

  it('says that more is missing than it knows of when a part that was over the limit is lost', () => {
    const limiter = createLimiter({ limitBytes: 4, state: { headBytes: 4, lost: true } });
    const head = limiter.push(Buffer.from('after it'));
    const state = parseLimiterState(serializeLimiterState(limiter.state()));
    const rest = renderTail(state).toString();
    expect(head).toHaveLength(0);
    expect(rest).toContain('exceeded limit of 4 bytes. At least 0 bytes were left out here; the last 8 follow.');
    expect(rest.endsWith('after it')).toBe(true);
  });

  it('cuts no UTF-8 character', () => {
    const { head } = limited(4, [Buffer.from('aä€x'.repeat(40_000))]);
    expect(head.toString()).toBe('aä');
  });

  it('accounts for every byte, also when it is put down and taken up between chunks', () => {
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }),
        fc.nat(10),
        (limit, chunks, suspendAfter) => {
          const buffers = chunks.map((chunk) => Buffer.from(chunk));
          const whole = limited(limit, buffers);
          const suspended = limited(limit, buffers, suspendAfter);
          expect(suspended).toEqual(whole);
          expect(whole.head.length).toBeLessThanOrEqual(limit);
          expect(Buffer.concat([whole.head, whole.rest])).toEqual(Buffer.concat(buffers));
        },
      ),
    );
  });
});
