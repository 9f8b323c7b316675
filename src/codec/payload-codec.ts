import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { KeyRing } from './key-ring.js';

const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const COMPRESSION = 'compression';

/** A payload of Temporal ends at 2 MB; what inflates to more was not made by us. */
const MAX_INFLATED = 64 * 1024 * 1024;

/**
 * What Temporal keeps of payloads: compressed, then sealed. Plain ones pass when decoding, so that `temporal workflow start` with
 * JSON works; nothing that we write is plain.
 */
export function createPayloadCodec(ring: KeyRing): PayloadCodec {
  return {
    encode: (payloads) => Promise.resolve(payloads.map((payload) => encode(ring, payload))),
    decode: (payloads) => Promise.resolve(payloads.map((payload) => decode(ring, payload))),
  };
}

function encode(ring: KeyRing, payload: Payload): Payload {
  const plain = proto.temporal.api.common.v1.Payload.encode(payload).finish();
  const small = deflateRawSync(plain);
  const compressed = small.length < plain.length;
  const { keyId, sealed } = ring.encrypt(compressed ? small : plain);
  return {
    metadata: {
      encoding: Buffer.from(ENCODING),
      [KEY_ID]: Buffer.from(keyId),
      [COMPRESSION]: Buffer.from(compressed ? 'deflate' : 'none'),
    },
    data: sealed,
  };
}

function decode(ring: KeyRing, payload: Payload): Payload {
  const { metadata, data } = payload;
  if (textOf(metadata?.['encoding']) !== ENCODING || data == null) return payload;
  const opened = ring.decrypt(keyIdOf(payload), data);
  const plain =
    textOf(metadata?.[COMPRESSION]) === 'deflate' ? inflateRawSync(opened, { maxOutputLength: MAX_INFLATED }) : opened;
  return proto.temporal.api.common.v1.Payload.decode(plain);
}

/** The key that a payload was sealed with. */
export function keyIdOf({ metadata }: Payload): string {
  return textOf(metadata?.[KEY_ID]);
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
}
