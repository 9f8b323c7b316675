import { crc32 } from 'node:zlib';

/** CRC-32 (IEEE) of a growing trace, as the final PUT wants it. */
export interface Checksum {
  update(bytes: Buffer): void;
  /** `crc32:` and eight lower-case hexadecimal digits. */
  value(): string;
}

export function createChecksum(): Checksum {
  let value = 0;
  return {
    update(bytes) {
      value = crc32(bytes, value);
    },
    value: () => `crc32:${value.toString(16).padStart(8, '0')}`,
  };
}
