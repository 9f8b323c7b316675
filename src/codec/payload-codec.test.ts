import type { Payload } from '@temporalio/common';
import { fastify } from 'fastify';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { registerCodecRoutes } from './codec-server.js';
import { parseKeyRing } from './key-ring.js';
import { createPayloadCodec } from './payload-codec.js';

const codec = createPayloadCodec(parseKeyRing(`k1:${Buffer.alloc(32, 7).toString('base64')}`));

function json(value: unknown): Payload {
  return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
}

describe('the payload codec', () => {
  it('gives back any payload, and shows nothing of it meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 12, maxLength: 400 }), async (text) => {
        const [encoded] = await codec.encode([json({ secret: text })]);
        const stored = Buffer.from(encoded?.data ?? []);
        expect(stored.includes('secret')).toBe(false);
        const [decoded] = await codec.decode([encoded!]);
        expect(JSON.parse(Buffer.from(decoded?.data ?? []).toString())).toEqual({ secret: text });
        expect(Buffer.from(decoded?.metadata?.['encoding'] ?? []).toString()).toBe('json/plain');
      }),
      { numRuns: 50 },
    );
  });

  it('compresses what can be', async () => {
    const [encoded] = await codec.encode([json('a'.repeat(100_000))]);

    expect(encoded?.data?.length).toBeLessThan(1_000);
  });

  it('lets plain payloads through when decoding, as `temporal workflow start` sends them', async () => {
    const plain = json({ version: 1 });

    expect(await codec.decode([plain])).toEqual([plain]);
  });

  it('names the key id that is missing', async () => {
    const other = createPayloadCodec(parseKeyRing(`k2:${Buffer.alloc(32, 8).toString('base64')}`));
    const sealed = await other.encode([json(1)]);

    await expect((async () => await codec.decode(sealed))()).rejects.toThrow(
      'Key "k2" is not in the key file (it has k1)',
    );
  });
});

describe('the codec endpoint', () => {
  function server(options: { token?: string; trustsEveryone?: boolean } = {}) {
    const app = fastify();
    const allowedOrigins = ['http://127.0.0.1:8233'];
    registerCodecRoutes(app, { codec, allowedOrigins, trustsEveryone: true, ...options });
    return app;
  }
  const wire = (payload: Payload) => ({
    metadata: Object.fromEntries(
      Object.entries(payload.metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
    data: Buffer.from(payload.data ?? []).toString('base64'),
  });

  it('encodes and decodes as the Temporal UI and CLI ask it to', async () => {
    const app = server();
    const encoded = await app.inject({ method: 'POST', url: '/encode', payload: { payloads: [wire(json('hi'))] } });
    const decoded = await app.inject({ method: 'POST', url: '/decode', payload: encoded.json<object>() });

    expect(encoded.body).not.toContain(Buffer.from('"hi"').toString('base64'));
    expect(decoded.json()).toEqual({ payloads: [wire(json('hi'))] });
  });

  it('answers the UI at its address, and no other page', async () => {
    const app = server();
    const allowed = await app.inject({
      method: 'OPTIONS',
      url: '/decode',
      headers: { origin: 'http://127.0.0.1:8233', 'access-control-request-method': 'POST' },
    });
    const foreign = await app.inject({
      method: 'POST',
      url: '/decode',
      headers: { origin: 'http://evil.example' },
      payload: { payloads: [] },
    });

    expect(allowed.headers['access-control-allow-origin']).toBe('http://127.0.0.1:8233');
    expect(foreign.statusCode).toBe(403);
  });

  it('asks for its token when it has one', async () => {
    const app = server({ token: 's3cret' });
    const post = (authorization?: string) =>
      app.inject({
        method: 'POST',
        url: '/decode',
        headers: authorization === undefined ? {} : { authorization },
        payload: { payloads: [] },
      });

    expect((await post()).statusCode).toBe(401);
    expect((await post('Bearer wrong')).statusCode).toBe(401);
    expect((await post('Bearer s3cret')).statusCode).toBe(200);
  });

  it('decodes for nobody without a token where others can reach it', async () => {
    const [sealed] = await codec.encode([json('hi')]);
    const payload = { payloads: [wire(sealed ?? {})] };
    const open = await server({ trustsEveryone: false }).inject({ method: 'POST', url: '/decode', payload });
    const known = await server({ trustsEveryone: false, token: 's3cret' }).inject({
      method: 'POST',
      url: '/decode',
      headers: { authorization: 'Bearer s3cret' },
      payload,
    });

    expect(open.statusCode).toBe(403);
    expect(open.body).toContain('codec.tokenFile');
    expect(known.json()).toEqual({ payloads: [wire(json('hi'))] });
  });

  it('takes an empty body for an empty list, as the Temporal CLI sends it', async () => {
    const answer = await server().inject({ method: 'POST', url: '/decode', payload: {} });

    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ payloads: [] });
  });

  it('answers 400 to what it cannot read', async () => {
    const app = server();
    const sealed = { metadata: { encoding: Buffer.from('binary/encrypted').toString('base64') }, data: 'AAAA' };
    const response = await app.inject({ method: 'POST', url: '/decode', payload: { payloads: [sealed] } });

    expect(response.statusCode).toBe(400);
    for (const payload of ['null', '[]', '{"payloads":3}', '{"payloads":[null]}', '{"payloads":[{"metadata":7}]}']) {
      const bad = await app.inject({
        method: 'POST',
        url: '/decode',
        headers: { 'content-type': 'application/json' },
        payload,
      });
      expect([payload, bad.statusCode]).toEqual([payload, 400]);
    }
  });
});
