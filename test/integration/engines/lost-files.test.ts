import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareEngine, requestFor } from '../../support/bare-engine.js';
import { docker, ensureTestImage, removeAll } from '../../support/stack.js';

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
    const { machine } = await engine.acquire(requestFor(engine.installation, 'job/1'), {});

    expect(await engine.archive(machine, 'build', '/builds/p/no-such-file', {})).toBeUndefined();

    docker('rm', '-f', `holdfast-${machine}-build`);

    await expect(engine.archive(machine, 'build', '/builds/p', {})).rejects.toMatchObject(GONE);
    await expect(engine.extract(machine, 'build', '/builds/p', emptyTar(), {})).rejects.toMatchObject(GONE);
    await engine.release(machine, {});
  });

  it('cannot be unpacked when its sandbox is gone', async () => {
    const { machine } = await engine.acquire(requestFor(engine.installation, 'job/2'), {});
    docker(
      'rm',
      '-f',
      ...docker('inspect', '-f', '{{index .Config.Labels "holdfast.sandbox"}}', `holdfast-${machine}-build`),
    );

    await expect(engine.extract(machine, 'build', '/builds/p', emptyTar(), {})).rejects.toMatchObject(GONE);
    await engine.release(machine, {});
  });
});
