import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process of ours that is started again when it ends by itself. */
export interface Child {
  /** Resolves with an explanation if the process ends before it was `ready()`: then starting it again would not help. */
  readonly failedToStart: Promise<string>;
  ready(): void;
  /** @param options.hard at once, with SIGKILL */
  stop(options?: { hard?: boolean }): Promise<void>;
}

const RESTART_MIN_MS = 500;
const RESTART_MAX_MS = 10_000;
/** A child that lived this long was well: the next restart is quick again. */
const WELL_AFTER_MS = 30_000;
/** Above the worker's own 10 s. */
const KILL_AFTER_MS = 12_000;
/** Of a log, to explain an end. */
const EXPLAINING_LINES = 5;

export function superviseChild(options: {
  name: string;
  command: string;
  args: string[];
  logFile: string;
  say: (text: string) => void;
  started: (pid: number) => void;
  ended: () => void;
}): Child {
  const { name, say, logFile } = options;
  const stopping = new AbortController();
  let isReady = false;
  let current: ChildProcess | undefined;
  let pauseMs = RESTART_MIN_MS;
  let reportFailure: (text: string) => void = () => undefined;
  const failedToStart = new Promise<string>((resolve) => (reportFailure = resolve));

  async function runOnce(): Promise<void> {
    const log = openSync(logFile, 'a');
    const startedAtMs = Date.now();
    const child = spawn(options.command, options.args, {
      stdio: ['ignore', log, log],
      // Ctrl-C in the terminal reaches the group; we stop our children ourselves, in order.
      detached: true,
    });
    current = child;
    closeSync(log);
    if (child.pid !== undefined) options.started(child.pid);
    const how = await new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${String(code)}`));
    });
    current = undefined;
    options.ended();
    if (stopping.signal.aborted) return;
    if (!isReady) {
      reportFailure(`${name} has ended at its start (${how}). The last of ${logFile}:\n${lastLines(logFile)}`);
      stopping.abort();
      return;
    }
    if (Date.now() - startedAtMs > WELL_AFTER_MS) pauseMs = RESTART_MIN_MS;
    say(`${name} has ended (${how}) and is started again; its log: ${logFile}`);
    await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, RESTART_MAX_MS);
  }

  const loop = (async () => {
    while (!stopping.signal.aborted) await runOnce();
  })();

  return {
    failedToStart,
    ready() {
      isReady = true;
    },
    async stop({ hard = false } = {}) {
      stopping.abort();
      current?.kill(hard ? 'SIGKILL' : 'SIGTERM');
      const killer = setTimeout(() => current?.kill('SIGKILL'), KILL_AFTER_MS);
      await loop;
      clearTimeout(killer);
    },
  };
}

function lastLines(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines
    .slice(-EXPLAINING_LINES)
    .map((line) => `  ${line}`)
    .join('\n');
}
