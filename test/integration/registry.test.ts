import { afterEach, describe, expect, it } from 'vitest';
import type { PullPolicy } from '../../src/contracts/job-spec.js';
import { MachineError } from '../../src/machines/engine.js';
import { createDockerClient } from '../../src/machines/docker/client.js';
import { ensureImage } from '../../src/machines/docker/images.js';
import type { RegistryAuthSources } from '../../src/machines/docker/registry-auth.js';
import { freePort } from '../support/processes.js';
import { startRegistry, type RegistryOptions, type TestRegistry } from '../support/registry.js';

const docker = createDockerClient({ host: 'unix:///var/run/docker.sock' });
let registry: TestRegistry | undefined;

afterEach(async () => {
  await registry?.close();
  registry = undefined;
});

async function start(options: RegistryOptions = {}): Promise<TestRegistry> {
  registry = await startRegistry(options);
  return registry;
}

interface Pulled {
  id?: string;
  digest?: string | undefined;
  error?: MachineError;
  notes: string[];
}

async function pull(
  name: string,
  options: { policies?: PullPolicy[]; auth?: Partial<RegistryAuthSources>; pauseMs?: number } = {},
): Promise<Pulled> {
  const notes: string[] = [];
  try {
    const { id, digest } = await ensureImage(docker, {
      name,
      policies: options.policies ?? ['always'],
      auth: { credentials: [], dockerAuthConfig: undefined, ...options.auth },
      signal: new AbortController().signal,
      note: (line) => notes.push(line),
      pauseMs: () => options.pauseMs ?? 10,
    });
    return { id, digest, notes };
  } catch (error) {
    if (error instanceof MachineError) return { error, notes };
    throw error;
  }
}

const credential = (host: string, password: string) => ({ url: host, username: 'ci', password });
const authConfig = (host: string, password: string) =>
  JSON.stringify({ auths: { [host]: { auth: Buffer.from(`ci:${password}`).toString('base64') } } });

describe('an image of a registry', () => {
  it('is pulled, and known by its digest', async () => {
    const { host } = await start();
    const pulled = await pull(`${host}/group/app:1`);

    expect(pulled.error).toBeUndefined();
    expect(pulled.digest).toMatch(new RegExp(`^${host}/group/app@sha256:[0-9a-f]{64}$`));
    expect(pulled.notes).toEqual([
      `Using effective pull policy of [always] for container ${host}/group/app:1`,
      `Pulling docker image ${host}/group/app:1 ...`,
    ]);
  });

  it('without a tag is the latest, and not all of them', async () => {
    const { host, seen } = await start();

    expect((await pull(`${host}/app`)).id).toBeDefined();
    expect(seen.filter((line) => line.includes('/manifests/')).every((line) => /latest|sha256/.test(line))).toBe(true);
    expect(seen.some((line) => line.includes('/tags/'))).toBe(false);
  });

  it('is asked for again with "always", and not with "if-not-present" or "never"', async () => {
    const { host, seen } = await start();
    const name = `${host}/app:1`;
    await pull(name);
    const asked = () => seen.filter((line) => line.includes('/manifests/')).length;
    const first = asked();

    await pull(name, { policies: ['if-not-present'] });
    await pull(name, { policies: ['never'] });
    expect(asked()).toBe(first);
    await pull(name, { policies: ['always'] });
    expect(asked()).toBeGreaterThan(first);
  });

  it('that is not there with "never" is the next policy\'s, or the user\'s to mend', async () => {
    const { host } = await start();

    expect((await pull(`${host}/app:2`, { policies: ['never'] })).error).toMatchObject({ code: 'IMAGE_NOT_AVAILABLE' });
    const second = await pull(`${host}/app:2`, { policies: ['never', 'if-not-present'] });
    expect(second.id).toBeDefined();
    expect(second.notes.join('\n')).toMatch(/WARNING: Failed to pull image with policy "never"/);
  });
});

describe.each(['basic', 'token'] as const)('a registry with %s authentication', (kind) => {
  const auth = { kind, username: 'ci', password: 'p:a ss' };

  it('takes the credentials of the payload', async () => {
    const { host, seen } = await start({ auth });
    const pulled = await pull(`${host}/app:1`, { auth: { credentials: [credential(host, auth.password)] } });

    expect(pulled.error).toBeUndefined();
    expect(seen.some((line) => line.endsWith(' ci'))).toBe(true);
  });

  it("takes those of DOCKER_AUTH_CONFIG, before the payload's", async () => {
    const { host } = await start({ auth });
    const pulled = await pull(`${host}/app:1`, {
      auth: { dockerAuthConfig: authConfig(host, auth.password), credentials: [credential(host, 'wrong')] },
    });

    expect(pulled.error).toBeUndefined();
  });

  it.each(['wrong', undefined])('with the password %s says whose fault it is, once', async (password) => {
    const { host, seen } = await start({ auth });
    const pulled = await pull(`${host}/app:1`, {
      auth: { credentials: password === undefined ? [] : [credential(host, password)] },
    });

    expect(pulled.error).toMatchObject({ code: 'IMAGE_NOT_AVAILABLE', retryable: false });
    expect(pulled.error?.traceMessage).toMatch(
      /Failed to pull image "127.*(unauthorized|no basic auth|authentication)/,
    );
    expect(pulled.error?.message).not.toContain('p:a ss');
    expect(seen.filter((line) => line.includes('/blobs/'))).toEqual([]);
  });
});

describe('a failing registry', () => {
  it("that does not know the image is the user's to mend, at once", async () => {
    const { host } = await start({ images: ['app:1'] });

    expect((await pull(`${host}/app:1`)).error).toBeUndefined();
    expect((await pull(`${host}/app:nope`, { pauseMs: 60_000 })).error).toMatchObject({ code: 'IMAGE_NOT_AVAILABLE' });
  });

  it("that denies is the user's to mend", async () => {
    const running = await start();
    running.fail({ status: 403, code: 'DENIED', message: 'requested access to the resource is denied', times: 10 });

    expect((await pull(`${running.host}/app:1`)).error).toMatchObject({ code: 'IMAGE_NOT_AVAILABLE' });
  });

  it.each([500, 503])("with status %d is tried again, and is nobody's fault here", async (status) => {
    const running = await start();
    running.fail({ status, times: 100 });
    expect((await pull(`${running.host}/app:1`)).error).toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    await running.close();

    const passing = await start();
    passing.fail({ status, times: 1 });
    expect((await pull(`${passing.host}/app:1`)).error).toBeUndefined();
  });

  it('that is too busy is tried again, and is a failed pull in the end', async () => {
    const running = await start();
    running.fail({
      status: 429,
      code: 'TOOMANYREQUESTS',
      message: 'You have reached your pull rate limit',
      times: 100,
    });
    expect((await pull(`${running.host}/app:1`)).error).toMatchObject({ code: 'IMAGE_PULL_FAILED' });
    await running.close();

    const passing = await start();
    passing.fail({ status: 429, code: 'TOOMANYREQUESTS', times: 2 });
    expect((await pull(`${passing.host}/app:1`)).error).toBeUndefined();
  });

  it('that is not there is an external dependency', async () => {
    const pulled = await pull(`127.0.0.1:${String(await freePort())}/app:1`);

    expect(pulled.error).toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    expect(pulled.error?.message).toContain('connection refused');
  });

  it('is not made one by the name of an image', async () => {
    const { host } = await start({ images: [] });

    expect((await pull(`${host}/timeout/denied-dial:50x`)).error).toMatchObject({ code: 'IMAGE_NOT_AVAILABLE' });
  });

  it.each(['UPPER/case:1', '127.0.0.1/bad name:1', ':', 'a@sha256:00'])('is not even asked for %j', async (name) => {
    const { error } = await pull(name);

    expect(['IMAGE_NOT_AVAILABLE', 'IMAGE_PULL_FAILED', 'BAD_OPTIONS']).toContain(error?.code);
  });
});
