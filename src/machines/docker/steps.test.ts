import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { extract, pack } from 'tar-stream';
import { whole } from '../../../test/support/archives.js';
import { describe, expect, it } from 'vitest';
import { runStep, stopStep } from './steps.js';

const NEVER = '0001-01-01T00:00:00Z';
const ENDED = '2026-01-01T00:01:00.5Z';
const STEP = { name: 'step_script', environment: {} };

/** A container as the engine shows it; what a start of it comes to is for the test to say. */
interface Fake {
  startedAt: string;
  running: boolean;
  /** With its files, which go first. */
  removing?: boolean;
  oomKilled?: boolean;
  exitCode: number;
  /** By step and name. */
  files: Map<string, string>;
  starts: number;
  firstStep: string;
}

function fake(changes: Partial<Fake> = {}): Fake {
  return {
    startedAt: NEVER,
    running: false,
    exitCode: 0,
    files: new Map(),
    starts: 0,
    firstStep: 'step_script',
    ...changes,
  };
}

function statusOf({ running, removing, startedAt }: Fake): string {
  if (running) return 'running';
  if (removing === true) return 'removing';
  return startedAt === NEVER ? 'created' : 'exited';
}

function containerOf(
  state: Fake,
  does: { start(): unknown; beforeFiles?(): void; terminate?(): void; kill?(): void },
): Docker.Container {
  const container = {
    id: 'c',
    inspect: () =>
      Promise.resolve({
        State: {
          Running: state.running,
          Status: statusOf(state),
          OOMKilled: state.oomKilled === true,
          Error: '',
          ExitCode: state.exitCode,
          StartedAt: state.startedAt,
          FinishedAt: ENDED,
        },
        Config: { Labels: { 'holdfast.nonce': 'n', 'holdfast.first-step': state.firstStep, 'holdfast.sandbox': 's' } },
      }),
    logs: () => Promise.resolve(Buffer.alloc(0)),
    getArchive: ({ path }: { path: string }) => {
      does.beforeFiles?.();
      const tar = pack();
      const step = path.slice('/.holdfast/'.length);
      tar.entry({ name: `${step}/`, type: 'directory' });
      for (const [name, content] of state.files) if (name.startsWith(`${step}/`)) tar.entry({ name }, content);
      tar.finalize();
      return Promise.resolve(Readable.from(tar));
    },
    putArchive: async (archive: Buffer) => {
      const tar = extract();
      tar.end(archive);
      for await (const entry of tar) {
        state.files.set(entry.header.name.slice('.holdfast/'.length), (await whole(entry)).toString());
      }
    },
    wait: () => delay(5),
    exec: () => Promise.resolve({ start: () => Promise.resolve(does.terminate?.()) }),
    kill: () => Promise.resolve(does.kill?.()),
    start: () => {
      state.starts += 1;
      state.startedAt = `start ${String(state.starts)}`;
      return Promise.resolve(does.start());
    },
  };
  return container as unknown as Docker.Container;
}

/** @param sandbox how the container that holds the machine's network is; default: it runs */
async function run(container: Docker.Container, step = STEP, sandbox = stateOf({ Running: true })): Promise<unknown> {
  const docker = { getContainer: () => sandbox };
  return await runStep(docker, container, step, AbortSignal.timeout(4_000), () => undefined);
}

function stateOf(State: { Running: boolean; FinishedAt?: string }): Docker.Container {
  return { inspect: () => Promise.resolve({ State }) } as unknown as Docker.Container;
}

const GONE = {
  inspect: () => Promise.reject(Object.assign(new Error('no such container'), { statusCode: 404 })),
} as unknown as Docker.Container;

const runs =
  (state: Fake, step = 'step_script') =>
  () => {
    state.files.set(`${step}/started`, '').set(`${step}/exit`, '0');
    state.exitCode = 0;
  };

describe('a step that is over at once', () => {
  it('does not end before it begins, though the engine has heard of its end first', async () => {
    const state = fake();
    const container = containerOf(state, {
      start: () => {
        state.startedAt = new Date(Date.parse(ENDED) + 1).toISOString();
        runs(state)();
      },
    });

    expect(await run(container)).toMatchObject({ kind: 'exited', startedAt: ENDED, finishedAt: ENDED });
  });
});

describe('a step that another attempt starts between two looks', () => {
  it('is not lost: it runs', async () => {
    const state = fake({ firstStep: 'get_ready', startedAt: 'for the step before' });
    let overtaken = false;
    const container = containerOf(state, {
      start: () => expect.unreachable(),
      beforeFiles: () => {
        if (overtaken) return;
        overtaken = true;
        state.running = true;
        state.startedAt = 'by another attempt';
        state.files.set('step_script/started', '');
        setTimeout(() => {
          state.running = false;
          runs(state)();
        }, 100);
      },
    });

    expect(await run(container)).toMatchObject({ kind: 'exited', exitCode: 0, startedAt: 'by another attempt' });
  });

  it('is not lost where it does so in the instant in which it is started: nothing is started again', async () => {
    const state = fake();
    const container = containerOf(state, {
      start: () => {
        runs(state)();
        return Promise.reject(Object.assign(new Error('container already started'), { statusCode: 304 }));
      },
    });

    expect(await run(container)).toMatchObject({ kind: 'exited', exitCode: 0 });
    expect(state.starts).toBe(1);
  });

  it('and that was cut off is lost', async () => {
    const state = fake({ startedAt: 'then', files: new Map([['step_script/started', '']]), exitCode: 137 });

    expect(await run(containerOf(state, { start: () => expect.unreachable() }))).toMatchObject({ kind: 'lost' });
  });
});

describe('a step whose container is being removed', () => {
  const taken = (state: Fake) => {
    state.removing = true;
    state.files.clear();
  };

  it('is lost, whatever its files no longer say', async () => {
    const state = fake({ startedAt: 'then', removing: true });

    expect(await run(containerOf(state, { start: () => expect.unreachable() }), AFTER)).toEqual({
      kind: 'lost',
      reason: 'its container is gone',
    });
  });

  it('is lost where that begins after the look at it', async () => {
    const state = fake();
    runs(state)();
    state.startedAt = 'for the script';
    const container = containerOf(state, { start: () => expect.unreachable(), beforeFiles: () => taken(state) });

    expect(await run(container, AFTER)).toEqual({ kind: 'lost', reason: 'its container is gone' });
  });
});

const AFTER = { name: 'after_script', environment: { CI_JOB_STATUS: 'success' } };

describe('an entry point that runs no shell', () => {
  it('runs once, whatever is asked for afterwards, and by how many attempts', async () => {
    const state = fake();
    const container = containerOf(state, { start: () => (state.exitCode = 1) });

    await expect(run(container)).rejects.toMatchObject({ code: 'BAD_OPTIONS', retryable: false });
    await expect(run(container)).rejects.toMatchObject({ code: 'BAD_OPTIONS' });
    await expect(run(container, AFTER)).rejects.toMatchObject({ code: 'BAD_OPTIONS' });
    expect(state.starts).toBe(1);
  });

  it('runs once where another attempt has started it, and its worker is gone', async () => {
    const state = fake({ startedAt: 'by another attempt', running: true });
    setTimeout(() => Object.assign(state, { running: false, exitCode: 3 }), 50);

    await expect(run(containerOf(state, { start: () => expect.unreachable() }))).rejects.toThrow('exit code 3');
  });

  it('runs once for after_script, if it fails only then', async () => {
    const state = fake();
    const container = containerOf(state, {
      start: () => {
        if (state.starts === 1) runs(state)();
        else state.exitCode = 1;
      },
    });
    expect(await run(container)).toMatchObject({ kind: 'exited', exitCode: 0 });

    await expect(run(container, AFTER)).rejects.toMatchObject({ code: 'BAD_OPTIONS' });
    await expect(run(container, AFTER)).rejects.toMatchObject({ code: 'BAD_OPTIONS' });
    expect(state.starts).toBe(2);
  });
});

describe('a later step', () => {
  it('is started by the next attempt when the one before it came only as far as to name it', async () => {
    const state = fake({ startedAt: 'for the script', files: new Map([['step_script/started', '']]) });
    state.files.set('after_script/started-before', 'for the script');

    const container = containerOf(state, { start: runs(state, 'after_script') });
    expect(await run(container, AFTER)).toMatchObject({ kind: 'exited', exitCode: 0 });
    expect(state.starts).toBe(1);
  });
});

describe('a container that is killed before the first word of its step', () => {
  it.each([
    [
      'from outside',
      { exitCode: 137 },
      { kind: 'lost', reason: expect.stringContaining('ended from outside') as string },
    ],
    [
      'for its fence cannot be written',
      { exitCode: 222 },
      { kind: 'lost', reason: expect.stringContaining('disk') as string },
    ],
  ])('is lost, and not started again: %s', async (_how, end, fate) => {
    const state = fake();
    const container = containerOf(state, { start: () => Object.assign(state, end) });

    expect(await run(container)).toMatchObject(fate);
    expect(state.starts).toBe(1);
  });
});

describe('a step that ends as its machine does', () => {
  const stopped = (FinishedAt: string) => stateOf({ Running: false, FinishedAt });
  const ended = (exit: string) =>
    fake({
      startedAt: 'then',
      files: new Map([
        ['step_script/started', ''],
        ['step_script/exit', exit],
      ]),
    });

  it.each([
    ['the machine was ending before', stopped('2026-01-01T00:01:00.4Z'), 'lost'],
    ['the engine was closing, and the machine followed', stopped('2026-01-01T00:01:02Z'), 'lost'],
    ['the machine is gone', GONE, 'lost'],
    ['the machine ended long after', stopped('2026-01-01T00:02:00Z'), 'exited'],
    ['the machine is whole', stateOf({ Running: true }), 'exited'],
  ])('and fails: %s', async (_how, sandbox, kind) => {
    const container = containerOf(ended('1'), { start: () => expect.unreachable() });

    expect(await run(container, STEP, sandbox)).toMatchObject({ kind });
  });

  it.each([
    ['was ending', stopped('2026-01-01T00:01:00.4Z'), { kind: 'lost' }],
    ['is whole', stateOf({ Running: true }), { kind: 'exited', exitCode: 137, oomKilled: true }],
  ])('and had lost a process for want of memory: its machine %s', async (_how, sandbox, fate) => {
    const state = fake({ startedAt: 'then', oomKilled: true, files: new Map([['step_script/started', '']]) });
    const container = containerOf(state, { start: () => expect.unreachable() });

    expect(await run(container, STEP, sandbox)).toMatchObject(fate);
  });

  it('has succeeded where it has', async () => {
    const container = containerOf(ended('0'), { start: () => expect.unreachable() });

    expect(await run(container, STEP, GONE)).toMatchObject({ kind: 'exited', exitCode: 0 });
  });

  it('is lost before its first word, whatever its entry point ends with', async () => {
    const state = fake();
    const container = containerOf(state, { start: () => (state.exitCode = 255) });

    expect(await run(container, STEP, stopped('2026-01-01T00:01:00Z'))).toMatchObject({ kind: 'lost' });
    expect(state.starts).toBe(1);
  });
});

describe('a stop of the script', () => {
  const NEVER_ABORTED = new AbortController().signal;

  it('does not reach after_script, which another attempt has come to while this one was paused', async () => {
    const state = fake({ running: true, startedAt: 'for the script', files: new Map([['step_script/started', '']]) });
    let killed = false;
    const container = containerOf(state, {
      start: () => expect.unreachable(),
      terminate: () => (state.startedAt = 'for after_script'),
      kill: () => (killed = true),
    });

    await stopStep(container, 'step_script', 300, NEVER_ABORTED);

    expect(killed).toBe(false);
    expect(state.running).toBe(true);
  });

  it('kills what is still there after the grace', async () => {
    const state = fake({ running: true, startedAt: 'for the script', files: new Map([['step_script/started', '']]) });
    const container = containerOf(state, {
      start: () => expect.unreachable(),
      kill: () => (state.running = false),
    });

    await stopStep(container, 'step_script', 0, NEVER_ABORTED);

    expect(state.running).toBe(false);
    expect(state.files.has('step_script/stop')).toBe(true);
  });
});
