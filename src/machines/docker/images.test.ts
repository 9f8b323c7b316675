import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createDockerClient } from './client.js';
import { digestOf, ensureImage } from './images.js';

let close: (() => void) | undefined;

afterEach(() => close?.());

/** @param pulled what an engine does that is to pull, and has another image of that name */
async function pullAt(
  pulled: (answer: ServerResponse, goAway: () => void) => void,
): Promise<{ error: unknown; pulls: number }> {
  let pulls = 0;
  const server = createServer((request, answer) => {
    if (request.method !== 'POST') return void answer.end('{"Id":"old","RepoDigests":[]}');
    pulls += 1;
    pulled(answer, () => {
      server.close();
      answer.socket?.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = () => server.close().closeAllConnections();
  const error = await ensureImage(
    createDockerClient({ host: `tcp://127.0.0.1:${String((server.address() as AddressInfo).port)}` }),
    {
      name: 'app:1',
      policies: ['always'],
      auth: { credentials: [], dockerAuthConfig: undefined },
      signal: new AbortController().signal,
      note: () => undefined,
      pauseMs: () => 1,
    },
  ).catch((error: unknown) => error);
  return { error, pulls };
}

describe('a pull that fails under way', () => {
  it('is told in the words of the engine', async () => {
    const { error } = await pullAt((answer) => {
      answer.end('{"status":"Downloading"}\n{"errorDetail":{},"error":"no space left on device"}\n');
    });

    expect(error).toMatchObject({
      code: 'ENGINE_FAULT',
      retryable: true,
      message: expect.stringContaining('no space') as string,
    });
  });

  it('is tried again where it was the network', async () => {
    const { error, pulls } = await pullAt((answer) => answer.end('{"error":"unexpected EOF"}\n'));

    expect(error).toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    expect(pulls).toBe(3);
  });

  it.each([
    ['before', ''],
    ['in the middle of', '{"status":"Downloading"}\n'],
  ])('is no fault of the registry where the engine goes away %s its answer', async (_, said) => {
    const { error } = await pullAt((answer, goAway) => {
      if (said !== '') answer.write(said);
      goAway();
    });

    expect(error).toBeInstanceOf(Error);
    expect(error).not.toHaveProperty('code', expect.stringMatching(/IMAGE|REGISTRY/));
  });

  it('comes to no end where the engine is still there: nothing more came from the registry, which is asked again', async () => {
    const { error, pulls } = await pullAt((answer) => {
      answer.write('{"status":"Downloading"}\n');
      answer.socket?.end();
    });

    expect(error).toMatchObject({ code: 'REGISTRY_UNREACHABLE', message: expect.stringContaining('no end') as string });
    expect(pulls).toBe(3);
  });
});

describe('the digest of an image that came from several registries', () => {
  const digests = ['one.example:5000/group/app@sha256:aa', 'two.example/group/app@sha256:aa', 'debian@sha256:aa'];

  it.each([
    ['two.example/group/app:1', 'two.example/group/app@sha256:aa'],
    ['two.example/group/app', 'two.example/group/app@sha256:aa'],
    ['one.example:5000/group/app', 'one.example:5000/group/app@sha256:aa'],
    ['one.example:5000/group/app:1@sha256:aa', 'one.example:5000/group/app@sha256:aa'],
    ['debian:bookworm', 'debian@sha256:aa'],
  ])('is that of the registry that was asked: %s', (name, digest) => {
    expect(digestOf(digests, name)).toBe(digest);
  });

  it('is any of them where the engine calls that registry otherwise, and none where it has none', () => {
    expect(digestOf(digests, 'docker.io/library/alpine:3')).toBe('one.example:5000/group/app@sha256:aa');
    expect(digestOf([], 'built:here')).toBeUndefined();
  });
});
