import { Client } from '@temporalio/client';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { keyIdOf } from '../codec/payload-codec.js';

/** In place of what cannot be opened. */
export interface Sealed {
  sealedWith: string;
}

/**
 * For lists and descriptions. The SDK opens the memos of workflows with them, and one that was sealed with a key which is not here
 * would spoil all: of that one it says so instead.
 */
export function looking(client: Client): Client {
  const { connection, options } = client;
  const payloadCodecs = options.loadedDataConverter.payloadCodecs.map(lenient);
  return new Client({ connection, namespace: options.namespace, dataConverter: { payloadCodecs } });
}

export function isSealed(value: unknown): value is Sealed {
  return typeof value === 'object' && value !== null && 'sealedWith' in value && typeof value.sealedWith === 'string';
}

function lenient(codec: PayloadCodec): PayloadCodec {
  return {
    encode: (payloads, context) => codec.encode(payloads, context),
    decode: (payloads, context) =>
      Promise.all(
        payloads.map(async (payload) => {
          try {
            return (await codec.decode([payload], context))[0] ?? payload;
          } catch {
            return sealed(payload);
          }
        }),
      ),
  };
}

function sealed(payload: Payload): Payload {
  const value: Sealed = { sealedWith: keyIdOf(payload) };
  return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
}
