import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createChecksum } from './checksum.js';

describe('checksum', () => {
  it('is CRC-32 IEEE in the form that GitLab reads', () => {
    const checksum = createChecksum();
    checksum.update(Buffer.from('123456789'));
    expect(checksum.value()).toBe('crc32:cbf43926');
  });

  it('does not depend on how the bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(200), (bytes, cut) => {
        const whole = createChecksum();
        whole.update(Buffer.from(bytes));
        const parts = createChecksum();
        parts.update(Buffer.from(bytes.subarray(0, cut)));
        parts.update(Buffer.from(bytes.subarray(cut)));
        expect(parts.value()).toBe(whole.value());
      }),
    );
  });
});
