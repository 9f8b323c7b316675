import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tarOf, whole } from '../../test/support/archives.js';
import type { FilesInput, StepInput, UploadResult } from '../contracts/activities.js';
import type { ArtifactSpec, CacheSpec } from '../contracts/job-spec.js';
import type { JobPlan } from '../job/plan.js';
import { createDirectoryStore } from '../store/directory-store.js';
import { cacheKey } from '../store/keys.js';
import type { Store } from '../store/store.js';
import type { EngineDeps } from './deps.js';
import { createFileActivities } from './files.js';

const JOB = 'job/1';
const PROJECT = '/builds/acme/widget';
const INPUT: FilesInput = {
  workflowId: JOB,
  attempt: 1,
  engine: 'e',
  machine: 'm',
  step: 'upload_artifacts',
  jobSucceeded: true,
};
const ARTIFACT: ArtifactSpec = {
  paths: ['out'],
  exclude: [],
  untracked: false,
  when: 'on_success',
  type: 'archive',
  format: 'zip',
};
const CACHE: CacheSpec = {
  key: 'main',
  fallbackKeys: [],
  paths: ['out'],
  untracked: false,
  policy: 'pull-push',
  when: 'on_success',
};
const PLAN = {
  project: 'acme/widget',
  projectDirectory: PROJECT,
  pathVariables: {},
  artifacts: [ARTIFACT],
  caches: [CACHE],
} as unknown as JobPlan;

let directory: string;
let store: Store;
/** Of the one host that both attempts run on; in milliseconds. */
let clock: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-files-'));
  store = createDirectoryStore({ directory });
  clock = 0;
});

afterEach(() => rmSync(directory, { recursive: true }));

/** Holds up whoever comes by, until it is opened. */
function gate() {
  let open: () => void = () => undefined;
  let reached: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const atGate = new Promise<void>((resolve) => (reached = resolve));
  return {
    open: () => open(),
    atGate,
    pass: async () => {
      reached();
      await opened;
    },
  };
}

interface World {
  /** The content of `out/file`; undefined: there is none. */
  content: string | undefined;
  /** Before the last bytes of an archive. */
  beforeEnd?: () => Promise<void>;
  extract?: (tar: Readable) => Promise<void>;
}

function activities(world: World) {
  return createFileActivities({
    store,
    plans: { load: () => Promise.resolve({ plan: PLAN }) },
    lifecycle: {
      handover: new AbortController().signal,
      pausedJustNow: () => false,
      steadyNow: () => clock,
    },
    engine: {
      async archive() {
        if (world.content === undefined) return undefined;
        const tar = await tarOf([{ name: 'out/file', content: world.content }]);
        return Readable.from(
          (async function* () {
            yield tar.subarray(0, 512);
            await world.beforeEnd?.();
            yield tar.subarray(512);
          })(),
        );
      },
      extract: (_machine: string, _role: string, _directory: string, tar: Readable) => world.extract?.(tar),
    },
  } as unknown as EngineDeps);
}

function upload(attempt: number, world: World): Promise<UploadResult> {
  return new MockActivityEnvironment({ attempt }).run(activities(world).uploadArtifacts, INPUT);
}

async function contents(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const key of await store.list('')) found.set(key, (await store.read(key))?.toString('latin1') ?? '');
  return found;
}

/** Paused in the middle of its work for so long that another attempt has come to its end. */
async function overtaken<T>(late: {
  run: (pause: () => Promise<void>) => Promise<unknown>;
  successor: () => Promise<T>;
}) {
  const pause = gate();
  const first = late.run(pause.pass);
  const ended = expect(first).rejects.toMatchObject({ type: 'OVERSLEPT' });
  await pause.atGate;
  const result = await late.successor();
  const before = await contents();
  clock += 30_000;
  pause.open();
  await ended;
  return { result, before, after: await contents() };
}

describe('artifacts that two attempts pack', () => {
  it('are those of the successor, and an attempt that was overtaken neither writes over them nor leaves its own', async () => {
    const { result, before, after } = await overtaken({
      run: (pause) => upload(1, { content: 'of a machine that is changing', beforeEnd: pause }),
      successor: () => upload(2, { content: 'of the successor' }),
    });

    const [artifact] = result.artifacts;
    expect([...after.keys()]).toEqual([artifact?.key]);
    expect(after).toEqual(before);
    expect(artifact?.bytes).toBe(after.get(artifact?.key ?? '')?.length);
  });

  it('are not removed by an attempt that comes late and finds nothing, the machine being gone', async () => {
    const { artifacts } = await upload(2, { content: 'of the successor' });
    await upload(1, { content: undefined });

    expect(await store.list('')).toEqual([artifacts[0]?.key]);
  });

  it('take the place of what an attempt has left that was killed', async () => {
    await upload(1, { content: 'first' });
    const { artifacts } = await upload(2, { content: 'second' });

    expect(await store.list('')).toEqual([artifacts[0]?.key]);
  });

  it('leave nothing when the attempt fails, and nothing when there are no files', async () => {
    const broken = upload(1, {
      content: 'first',
      beforeEnd: () => Promise.reject(new Error('the connection broke off')),
    });
    await expect(broken).rejects.toThrow();
    const { artifacts, text } = await upload(2, { content: undefined });

    expect(artifacts).toEqual([]);
    expect(text).toContain('no matching files');
    expect(await store.list('')).toEqual([]);
  });
});

describe('a cache', () => {
  it('is not replaced by an attempt that was overtaken', async () => {
    const save = (attempt: number, world: World) =>
      new MockActivityEnvironment({ attempt }).run(activities(world).saveCache, INPUT);
    const { before, after } = await overtaken({
      run: (pause) => save(1, { content: 'old', beforeEnd: pause }),
      successor: () => save(2, { content: 'new' }),
    });

    expect([...after.keys()]).toEqual([cacheKey('acme/widget', 'main')]);
    expect(after).toEqual(before);
  });

  it('is unpacked no further by an attempt that was overtaken: the script may run by now', async () => {
    await new MockActivityEnvironment().run(activities({ content: 'x'.repeat(1000) }).saveCache, INPUT);
    const unpacked: Buffer[] = [];
    const input: StepInput = { ...INPUT, environment: {} };
    const late = activities({
      content: undefined,
      extract: async (tar) => {
        clock += 30_000;
        unpacked.push(await whole(tar));
      },
    });

    await expect(new MockActivityEnvironment().run(late.restoreCache, input)).rejects.toMatchObject({
      type: 'OVERSLEPT',
    });
    expect(unpacked).toEqual([]);
  });
});
