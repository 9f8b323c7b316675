import fc from 'fast-check';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/processes.js';
import { parseKeyRing } from '../codec/key-ring.js';
import { createDirectoryStore } from '../store/directory-store.js';
import type { Store } from '../store/store.js';
import { silentLogger } from '../telemetry/logger.js';
import type { JobApi, JobUpdate } from './client.js';
import type { Clock } from './clock.js';
import { createIntake, type Intake, type IntakeDeps, type ReadPayload } from './intake.js';
import type { UpdateJobOutcome } from './outcomes.js';
import { createSpool } from './spool.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-spool-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const RING = parseKeyRing(Buffer.alloc(32, 7).toString('base64'));
const CLOCK: Clock = {
  now: () => 0,
  async sleep(_ms, signal) {
    signal?.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  },
  random: () => 0.5,
};

/** What outlives a crash: the disk, Temporal and GitLab. */
function createWorld() {
  const started = new Map<number, number>();
  const updates: { id: number; update: JobUpdate }[] = [];
  const logs = new Map<number, string>();
  const store = createDirectoryStore({ directory });
  return { started, updates, logs, store };
}
type World = ReturnType<typeof createWorld>;

/** One process: it dies at its `lives`-th step outwards, and takes no step after that. */
function startProcess(
  world: World,
  given: { lives?: number; answer?: UpdateJobOutcome; read?: IntakeDeps['read']; mistaken?: boolean } = {},
) {
  let lives = given.lives ?? Number.POSITIVE_INFINITY;
  const left: string[] = [];
  let inFlight = 0;
  let die: (() => void) | undefined;
  const dead = new Promise<void>((resolve) => (die = resolve));

  /** The step is done, or not, and the process is gone before it hears of it. */
  async function step<T>(work: () => Promise<T>): Promise<T> {
    lives -= 1;
    if (lives < 0) return await new Promise<T>(() => undefined);
    inFlight += 1;
    const result = await work();
    inFlight -= 1;
    if (lives > 0) return result;
    // What was under way with the disk beside this step ends one way or the other before the next process begins.
    if (inFlight === 0) die?.();
    return await new Promise<T>(() => undefined);
  }

  const store: Store = {
    ...world.store,
    write: (key, content) => step(() => world.store.write(key, content)),
    remove: (key) => step(() => world.store.remove(key)),
  };
  const api = (id: number): Pick<JobApi, 'updateJob' | 'patchTrace'> => ({
    updateJob: (update) =>
      step(() => {
        world.updates.push({ id, update });
        if (given.mistaken === true) throw new TypeError('a mistake of ours');
        return Promise.resolve(given.answer ?? { kind: 'accepted', jobStatus: 'running' });
      }),
    patchTrace: ({ bytes }) =>
      step(() => {
        world.logs.set(id, bytes.toString());
        return Promise.resolve({ kind: 'accepted', jobStatus: 'running' });
      }),
  });
  const intake: Intake = createIntake({
    entry: 'main',
    spool: { ...createSpool(store, RING, 'main', () => 1), leave: (key) => void left.push(key) },
    read: given.read ?? readJob,
    client: { job: ({ id }) => api(id) as JobApi },
    startWorkflow: ({ jobId }) =>
      step(() => {
        const before = world.started.get(jobId) ?? 0;
        // A duplicate is refused by Temporal.
        world.started.set(jobId, Math.max(1, before));
        return Promise.resolve(before === 0 ? { kind: 'started' } : { kind: 'exists' });
      }),
    hasWorkflow: (jobId) => step(() => Promise.resolve(world.started.has(jobId))),
    clock: CLOCK,
    logger: silentLogger,
    silenceLimitMs: 60_000,
  });
  return { intake, dead, left };
}

function readJob(raw: Buffer): Extract<ReadPayload, { kind: 'job' }> {
  const { id } = JSON.parse(raw.toString('utf8')) as { id: number };
  return { kind: 'job', job: { id, token: 't' }, spec: {} as never, coordinator: { failureReasons: [] } as never };
}

const raw = (id: number) => Buffer.from(JSON.stringify({ id, token: 'glcbt-secret' }));

describe('a job from GitLab', () => {
  it('is acknowledged, started, and leaves nothing behind', async () => {
    const world = createWorld();
    const { intake } = startProcess(world);

    await intake.take(raw(1));
    await intake.stop(1_000);

    expect([...world.started]).toEqual([[1, 1]]);
    expect(world.updates).toEqual([{ id: 1, update: { state: 'running' } }]);
    expect(await world.store.list('spool')).toEqual([]);
  });

  it('is on disk, sealed and private, before anything else is done with it', async () => {
    const world = createWorld();
    const { intake, dead } = startProcess(world, { lives: 1 });

    void intake.take(raw(1));
    await dead;

    const [key] = await world.store.list('spool');
    const file = join(directory, key!);
    expect(readdirSync(join(directory, 'spool', 'main'))).toHaveLength(1);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file).includes('glcbt-secret')).toBe(false);
    expect(RING.open(readFileSync(file))).toEqual(raw(1));
    expect(world.updates).toEqual([]);
    expect(world.started.size).toBe(0);
  });

  it('that was handed over twice runs once', async () => {
    const world = createWorld();
    const { intake } = startProcess(world);

    await intake.take(raw(1));
    await intake.take(raw(1));
    await intake.stop(1_000);

    expect([...world.started]).toEqual([[1, 1]]);
    expect(await world.store.list('spool')).toEqual([]);
  });

  it('is started exactly once, wherever processes crash', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 1, max: 14 }), { maxLength: 4 }),
        async (jobs, lives) => {
          rmSync(directory, { recursive: true, force: true });
          const world = createWorld();
          const ids = Array.from({ length: jobs }, (_, index) => index + 1);
          const spooled: number[] = [];
          const first = startProcess(world, lives[0] === undefined ? {} : { lives: lives[0] });
          const taken = (async () => {
            for (const id of ids) {
              await first.intake.take(raw(id));
              spooled.push(id);
            }
            await first.intake.stop(60_000);
          })();
          await Promise.race([taken, first.dead]);
          for (const count of lives.slice(1)) {
            const next = startProcess(world, { lives: count });
            await Promise.race([next.intake.recover().then(() => next.intake.stop(60_000)), next.dead]);
          }
          const last = startProcess(world);
          await last.intake.recover();
          await last.intake.stop(60_000);

          // What was spooled has run; the one whose write was cut off may or may not have been.
          for (const id of spooled) expect(world.started.get(id)).toBe(1);
          expect([...world.started.values()].every((count) => count === 1)).toBe(true);
          expect(await world.store.list('spool')).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  }, 30_000);

  it('that cannot be passed on is left to whoever looks next', async () => {
    const world = createWorld();
    const { intake, left } = startProcess(world, {
      mistaken: true,
    });

    await intake.take(raw(1));
    await intake.stop(1_000);

    expect(await world.store.list('spool')).toEqual(left);
  });

  it('is passed on even when it cannot be spooled', async () => {
    const world = createWorld();
    world.store.write = () => Promise.reject(new Error('disk full'));
    const { intake } = startProcess(world);

    await intake.take(raw(1));
    await intake.stop(1_000);

    expect([...world.started]).toEqual([[1, 1]]);
  });

  it.each<[UpdateJobOutcome, boolean]>([
    [{ kind: 'refused', jobStatus: 'canceled' }, false],
    [{ kind: 'refused', jobStatus: null }, false],
    [{ kind: 'unknown' }, false],
    [{ kind: 'accepted', jobStatus: 'failed' }, false],
    [{ kind: 'waiting', jobStatus: 'running' }, true],
    [{ kind: 'unavailable', reason: 'status 409', answered: true }, true],
    [{ kind: 'unavailable', reason: 'ECONNRESET', answered: false }, true],
  ])('acknowledged with %j is run: %j', async (answer, runs) => {
    const world = createWorld();
    const { intake } = startProcess(world, { answer });

    await intake.take(raw(1));
    await intake.stop(1_000);

    expect(world.started.has(1)).toBe(runs);
    expect(world.updates).toHaveLength(1);
    expect(await world.store.list('spool')).toEqual([]);
  });

  it.each([
    [[], 'unknown_failure'],
    [['job_canceled'], 'job_canceled'],
  ])(
    'that is being cancelled already is ended as cancelled and not run: a GitLab that knows %j',
    async (known, told) => {
      const kinds: ((job: ReturnType<typeof readJob>) => ReadPayload)[] = [
        (job) => ({ ...job, coordinator: { ...job.coordinator, failureReasons: known } }),
        ({ job }) => ({ kind: 'refused', job, reason: 'runner_unsupported', message: 'no', failureReasons: known }),
      ];
      for (const kind of kinds) {
        const world = createWorld();
        const { intake } = startProcess(world, {
          answer: { kind: 'accepted', jobStatus: 'canceling' },
          read: (bytes) => kind(readJob(bytes)),
        });

        await intake.take(raw(1));
        await intake.stop(1_000);

        expect(world.started.size).toBe(0);
        expect(world.updates.at(-1)?.update).toMatchObject({ state: 'failed', failureReason: told });
      }
    },
  );
});

it('is not run when the answer that is none says that it is to be canceled', async () => {
  const world = createWorld();
  const { intake } = startProcess(world, {
    answer: { kind: 'unavailable', reason: 'status 409', answered: true, jobStatus: 'canceling' },
  });

  await intake.take(raw(1));
  await until('the final status', () => world.updates.length > 1);
  await intake.stop(0);

  expect(world.started.size).toBe(0);
  expect(world.updates[1]?.update).toMatchObject({ state: 'failed' });
});

it('does not end a job that runs already, should GitLab hand it over again while it is being cancelled', async () => {
  const world = createWorld();
  world.started.set(1, 1);
  const { intake } = startProcess(world, { answer: { kind: 'accepted', jobStatus: 'canceling' } });

  await intake.take(raw(1));
  await intake.stop(1_000);

  expect(world.updates).toEqual([{ id: 1, update: { state: 'running' } }]);
  expect(await world.store.list('spool')).toEqual([]);
});

describe('what cannot be run', () => {
  it('is told to GitLab: why, and that it has failed', async () => {
    const world = createWorld();
    const refused: ReadPayload = {
      kind: 'refused',
      job: { id: 9, token: 't' },
      reason: 'runner_unsupported',
      message: 'secrets from Vault are not supported',
      failureReasons: ['runner_unsupported'],
    };
    const { intake } = startProcess(world, { read: () => refused });

    await intake.take(Buffer.from('{}'));
    await intake.stop(1_000);

    expect(world.logs.get(9)).toContain('secrets from Vault are not supported');
    const final = world.updates.at(-1)?.update;
    expect(final).toMatchObject({ state: 'failed', failureReason: 'runner_unsupported' });
    expect(final?.output?.bytesize).toBe(Buffer.byteLength(world.logs.get(9)!));
    expect(await world.store.list('spool')).toEqual([]);
  });

  it.each<[Extract<ReadPayload, { kind: 'refused' }>['reason'], string]>([
    ['runner_unsupported', 'ERROR: Job failed: no'],
    ['runner_configuration_error', 'ERROR: Job failed: no'],
    ['runner_system_failure', 'ERROR: Job failed (system failure): no'],
  ])('for %s has the last line that GitLab’s runner would write: %s', async (reason, line) => {
    const world = createWorld();
    const { intake } = startProcess(world, {
      read: () => ({ kind: 'refused', job: { id: 9, token: 't' }, reason, message: 'no', failureReasons: [reason] }),
    });

    await intake.take(Buffer.from('{}'));
    await intake.stop(1_000);

    expect(world.logs.get(9)).toContain(line);
  });

  it('is dropped when not even its id can be read, and the next job comes through', async () => {
    const world = createWorld();
    const { intake } = startProcess(world, {
      read: (bytes) => (bytes.length === 3 ? { kind: 'unreadable', problem: 'no JSON' } : readJob(bytes)),
    });

    await intake.take(Buffer.from('???'));
    await intake.take(raw(2));
    await intake.stop(1_000);

    expect([...world.started.keys()]).toEqual([2]);
    expect(await world.store.list('spool')).toEqual([]);
  });
});
