import { timingSafeEqual } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

const WirePayload = z.object({ metadata: z.record(z.string(), z.string()).default({}), data: z.string().default('') });
// The Temporal CLI sends an empty list as `{}`, and takes a refusal for a server that is away.
const WireBody = z.object({ payloads: z.array(WirePayload).default([]) });
type WirePayload = z.infer<typeof WirePayload>;

export interface CodecRouteOptions {
  codec: PayloadCodec;
  allowedOrigins: readonly string[];
  token?: string | undefined;
  /** Whoever can reach the server may read everything, because it is on loopback or the operator has said so. */
  trustsEveryone: boolean;
}

/**
 * Temporal's remote codec protocol: the UI and the CLI send payloads to `/encode` and `/decode` and show what comes back. Whoever
 * is let in reads everything: those with the token, and without one only who is on this machine.
 */
export function registerCodecRoutes(app: FastifyInstance, options: CodecRouteOptions): void {
  const guard = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const origin = request.headers.origin;
    if (origin !== undefined && options.allowedOrigins.includes(origin)) {
      reply
        .header('Access-Control-Allow-Origin', origin)
        .header('Access-Control-Allow-Methods', 'POST, OPTIONS')
        .header('Access-Control-Allow-Headers', 'Content-Type, X-Namespace, Authorization')
        .header('Vary', 'Origin');
    } else if (origin !== undefined) {
      await reply.code(403).send({ message: `Origin ${origin} is not allowed (codec.allowedOrigins)` });
      return;
    }
    if (request.method !== 'OPTIONS' && options.token !== undefined && !hasToken(request, options.token)) {
      await reply.code(401).send({ message: 'A bearer token is needed (codec.tokenFile)' });
    }
    if (options.token === undefined && !options.trustsEveryone) {
      await reply.code(403).send({
        message:
          'Nothing is decoded here, because metricsServer.listenAddress is not on loopback: configure codec.tokenFile, or codec.unprotected where nobody else reaches this address',
      });
    }
  };
  for (const verb of ['encode', 'decode'] as const) {
    app.options(`/${verb}`, { preHandler: guard }, (_request, reply) => reply.code(204).send());
    app.post(`/${verb}`, { preHandler: guard }, async (request, reply) => {
      try {
        const body = WireBody.safeParse(request.body);
        if (!body.success) throw new Error('The body must be {"payloads": [{"metadata": {…}, "data": "…"}]}');
        const payloads = await options.codec[verb](body.data.payloads.map(fromWire));
        return { payloads: payloads.map(toWire) };
      } catch (error) {
        return await reply
          .code(400)
          .send({ message: error instanceof Error ? error.message : 'The payloads cannot be read' });
      }
    });
  }
}

function hasToken(request: FastifyRequest, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function fromWire(payload: WirePayload): Payload {
  return {
    metadata: Object.fromEntries(
      Object.entries(payload.metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
    ),
    data: Buffer.from(payload.data, 'base64'),
  };
}

function toWire(payload: Payload): WirePayload {
  return {
    metadata: Object.fromEntries(
      Object.entries(payload.metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
    data: Buffer.from(payload.data ?? []).toString('base64'),
  };
}
