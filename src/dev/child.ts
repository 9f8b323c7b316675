import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process of ours that is started again when it ends by itself. */
export interface Child {
  stop(): Promise<void>;
}

const RESTART_MIN_MS = 500;
const RESTART_MAX_MS = 10_000;
/** A child that lived this long was well: the next restart is quick again. */
const WELL_AFTER_MS = 30_000;
/** Above the worker's own 10 s. */
const KILL_AFTER_MS = 12_000;

export function superviseChild(options: {
  name: string;
  command: string;
  args: string[];
  logFile: string;
  env?: NodeJS.ProcessEnv;
  say: (text: string) => void;
}): Child {
  const { name, say } = options;
  let stopping = false;
  let process_: ChildProcess | undefined;
  let pauseMs = RESTART_MIN_MS;

  async function runOnce(): Promise<void> {
    const log = openSync(options.logFile, 'a');
    const startedAtMs = Date.now();
    const child = spawn(options.command, options.args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...options.env },
      // Ctrl-C in the terminal reaches the group; we stop our children ourselves, in order.
      detached: true,
    });
    process_ = child;
    closeSync(log);
    const how = await new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${String(code)}`));
    });
    process_ = undefined;
    if (stopping) return;
    if (Date.now() - startedAtMs > WELL_AFTER_MS) pauseMs = RESTART_MIN_MS;
    say(`${name} has ended (${how}) and is started again; its log: ${options.logFile}`);
    await delay(pauseMs);
    pauseMs = Math.min(pauseMs * 2, RESTART_MAX_MS);
  }

  const loop = (async () => {
    while (!stopping) await runOnce();
  })();

  return {
    async stop() {
      stopping = true;
      process_?.kill('SIGTERM');
      const killer = setTimeout(() => process_?.kill('SIGKILL'), KILL_AFTER_MS);
      await loop;
      clearTimeout(killer);
    },
  };
}
