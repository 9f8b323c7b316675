import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { runStep } from './steps.js';

const NEVER = '0001-01-01T00:00:00Z';
const STEP = { name: 'step_script', environment: {} };

/** A container as the engine shows it; what a start of it comes to is for the test to say. */
interface Fake {
  startedAt: string;
  running: boolean;
  exitCode: number;
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

function containerOf(state: Fake, does: { start(): void; beforeFiles?(): void }): Docker.Container {
  const container = {
    id: 'c',
    inspect: () =>
      Promise.resolve({
        State: {
          Running: state.running,
          Status: state.running ? 'running' : state.startedAt === NEVER ? 'created' : 'exited',
          OOMKilled: false,
          Error: '',
          ExitCode: state.exitCode,
          StartedAt: state.startedAt,
          FinishedAt: 'then',
        },
        Config: { Labels: { 'holdfast.nonce': 'n', 'holdfast.first-step': state.firstStep } },
      }),
    logs: () => Promise.resolve(Buffer.alloc(0)),
    getArchive: () => {
      does.beforeFiles?.();
      const tar = pack();
      tar.entry({ name: 'step/', type: 'directory' });
      for (const [name, content] of state.files) tar.entry({ name: `step/${name}` }, content);
      tar.finalize();
      return Promise.resolve(Readable.from(tar));
    },
    putArchive: () => Promise.resolve(),
    wait: () => delay(5),
    start: () => {
      state.starts += 1;
      state.startedAt = `start ${String(state.starts)}`;
      does.start();
      return Promise.resolve();
    },
  };
  return container as unknown as Docker.Container;
}

async function run(container: Docker.Container): Promise<unknown> {
  return await runStep(container, STEP, AbortSignal.timeout(4_000), () => undefined);
}

const runs = (state: Fake) => () => {
  state.files.set('started', '').set('exit', '0');
  state.exitCode = 0;
};

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
        state.files.set('started', '');
        setTimeout(() => {
          state.running = false;
          runs(state)();
        }, 100);
      },
    });

    expect(await run(container)).toMatchObject({ kind: 'exited', exitCode: 0, startedAt: 'by another attempt' });
  });

  it('and that was cut off is lost', async () => {
    const state = fake({ startedAt: 'then', files: new Map([['started', '']]), exitCode: 137 });

    expect(await run(containerOf(state, { start: () => expect.unreachable() }))).toMatchObject({ kind: 'lost' });
  });
});
