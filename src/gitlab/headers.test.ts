import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentRange, headerOf, retryAfterMs, sizeOfRange, updateIntervalMs } from './headers.js';

const NOW = Date.parse('2026-01-31T12:00:00Z');

describe('Content-Range and Range', () => {
  it('writes both ends inclusive', () => {
    expect(contentRange(0, 1024)).toBe('0-1023');
    expect(contentRange(500, 1)).toBe('500-500');
  });

  it('reads the second number as the size that the server has', () => {
    expect(sizeOfRange('0-1024')).toBe(1024);
    expect(sizeOfRange('0-0')).toBe(0);
  });

  it.each([undefined, '', '0-', '-5', '5-10', '0-1.5', '0-1e3', '0-99999999999999999999', 'garbage', '0-10, 20-30'])(
    'takes %j for no range',
    (header) => {
      expect(sizeOfRange(header)).toBeUndefined();
    },
  );

  it('ends a chunk where the answer to it says that the log ends', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 1 << 20 }), (offset, length) => {
        const last = Number(contentRange(offset, length).split('-')[1]);

        expect(sizeOfRange(`0-${String(last + 1)}`)).toBe(offset + length);
      }),
    );
  });

  it('never throws and never gives a number that is no offset, whatever a server sends', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789-=bytes. e+') })), (header) => {
        const size = sizeOfRange(header);

        expect(size === undefined || (Number.isSafeInteger(size) && size >= 0)).toBe(true);
      }),
    );
  });
});

describe('how long to wait', () => {
  it('takes the update interval in seconds, at most a quarter of an hour', () => {
    expect(updateIntervalMs('3')).toBe(3_000);
    expect(updateIntervalMs('60')).toBe(60_000);
    expect(updateIntervalMs('86400')).toBe(900_000);
    for (const header of [undefined, '0', '-3', '3.5', 'soon', '']) expect(updateIntervalMs(header)).toBeUndefined();
  });

  it('obeys RateLimit-ResetTime before Retry-After', () => {
    const headers = { 'ratelimit-resettime': 'Sat, 31 Jan 2026 12:00:20 GMT', 'retry-after': '5' };

    expect(retryAfterMs(headers, NOW)).toBe(20_000);
  });

  it('reads Retry-After in seconds or as a date', () => {
    expect(retryAfterMs({ 'retry-after': '7' }, NOW)).toBe(7_000);
    expect(retryAfterMs({ 'retry-after': 'Sat, 31 Jan 2026 12:00:09 GMT' }, NOW)).toBe(9_000);
    expect(retryAfterMs({ 'retry-after': ['8', '9'] }, NOW)).toBe(8_000);
  });

  it('is not sent to sleep for hours, nor into the past', () => {
    expect(retryAfterMs({ 'retry-after': '86400' }, NOW)).toBe(600_000);
    expect(retryAfterMs({ 'ratelimit-resettime': 'Sat, 31 Jan 2026 11:00:00 GMT' }, NOW)).toBe(0);
    expect(retryAfterMs({}, NOW)).toBeUndefined();
    expect(retryAfterMs({ 'retry-after': '-5' }, NOW)).toBeUndefined();
  });

  it('never throws and stays within its bounds, whatever a server sends', () => {
    fc.assert(
      fc.property(fc.option(fc.string()), fc.option(fc.string()), (after, reset) => {
        const ms = retryAfterMs({ 'retry-after': after ?? undefined, 'ratelimit-resettime': reset ?? undefined }, NOW);

        expect(ms === undefined || (ms >= 0 && ms <= 600_000)).toBe(true);
      }),
    );
  });
});

it('takes an empty header for none', () => {
  expect(headerOf({ 'job-status': ' ' }, 'job-status')).toBeUndefined();
  expect(headerOf({ 'job-status': ' running ' }, 'job-status')).toBe('running');
});
