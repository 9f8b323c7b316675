import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareEngine, requestFor } from '../../support/bare-engine.js';
import { until } from '../../support/processes.js';
import { docker, ensureTestImage, removeAll } from '../../support/docker.js';

const ENGINE = `t-${randomBytes(4).toString('hex')}`;
const engine = bareEngine(ENGINE, { namespaceId: 'namespace' });
const GONE = { code: 'MACHINE_GONE', retryable: false };

beforeAll(ensureTestImage);

afterAll(() => {
  removeAll(ENGINE);
});

function emptyTar(): Readable {
  const tar = pack();
  tar.finalize();
  return Readable.from(tar);
}

describe('files of a machine', () => {
  it('that are not there are told apart from a machine that is not there', async () => {
    const { machine } = await engine.acquire(requestFor(engine, 'job/1'), {});

    expect(await engine.archive(machine, 'build', '/builds/p/no-such-file', {})).toBeUndefined();

    docker('rm', '-f', `holdfast-${machine}-build`);

    await expect(engine.archive(machine, 'build', '/builds/p', {})).rejects.toMatchObject(GONE);
    await expect(engine.extract(machine, 'build', '/builds/p', emptyTar(), {})).rejects.toMatchObject(GONE);
    await engine.release(machine, {});
  });

  it('cannot be unpacked when its sandbox is gone', async () => {
    const { machine } = await engine.acquire(requestFor(engine, 'job/2'), {});
    docker(
      'rm',
      '-f',
      ...docker('inspect', '-f', '{{index .Config.Labels "holdfast.sandbox"}}', `holdfast-${machine}-build`),
    );

    await expect(engine.extract(machine, 'build', '/builds/p', emptyTar(), {})).rejects.toMatchObject(GONE);
    await engine.release(machine, {});
  });

  it('are given up at once when they are no longer wanted, though what they come from says nothing', async () => {
    const { machine } = await engine.acquire(requestFor(engine, 'job/3'), {});
    const silent = Readable.from(pack());
    const unwanted = new AbortController();
    const unpacking = engine.extract(machine, 'build', '/builds/p', silent, { signal: unwanted.signal });
    unpacking.catch(() => undefined);
    await until('the engine to read', () => silent.readableFlowing !== null);
    unwanted.abort(new Error('no longer wanted'));

    await expect(unpacking).rejects.toThrow('no longer wanted');
    expect(silent.destroyed).toBe(true);
    await engine.release(machine, {});
  });
});
