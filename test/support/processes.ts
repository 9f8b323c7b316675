import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort as drawPort } from '../../src/telemetry/free-port.js';

/** A worker promises 10 s, the others have never needed one; the rest is for a busy machine. */
const STOP_PATIENCE_MS = 15_000;

/** A process of a test; ended by its id and nothing else. */
export interface Process {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /**
   * Ends it and waits until it has ended.
   * @throws Error when it did not end by the signal and had to be killed
   */
  stop(signal?: NodeJS.Signals): Promise<void>;
  readonly exited: Promise<number | NodeJS.Signals | null>;
}

export function startProcess(command: string, args: string[], logFile: string, env: NodeJS.ProcessEnv = {}): Process {
  const child: ChildProcess = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const log = createWriteStream(logFile, { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code));
    child.once('error', () => resolve(null));
  });
  return {
    pid: child.pid ?? 0,
    exited,
    kill: (signal) => void child.kill(signal),
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      let killed = false;
      const killer = setTimeout(() => (killed = child.kill('SIGKILL')), STOP_PATIENCE_MS);
      await exited;
      clearTimeout(killer);
      log.end();
      if (killed) {
        throw new Error(
          `${command} (${logFile}) has not ended ${String(STOP_PATIENCE_MS / 1000)} s after ${signal}; it was killed`,
        );
      }
    },
  };
}

/** Files of tests run abreast, each in a process of its own, which draws from its own part of the ports: one of so many. */
const PORT_PARTS = 16;
const drawnPorts = new Set<number>();

/** A port on 127.0.0.1 where nobody listens, and that is given to no other caller: it may take a while until somebody does listen there. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await drawPort(drawnPorts);
    if (port % PORT_PARTS !== process.pid % PORT_PARTS) continue;
    drawnPorts.add(port);
    return port;
  }
}

/** Polls until it holds. @throws Error naming what did not come */
export async function until(what: string, holds: () => Promise<boolean> | boolean, timeoutMs = 30_000): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await delay(50)) {
    if (await holds()) return;
  }
  throw new Error(`${what} did not come in ${String(timeoutMs / 1000)} s`);
}

export async function untilHttp(url: string, timeoutMs = 60_000): Promise<void> {
  await until(
    url,
    async () => {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
        await response.arrayBuffer();
        return response.ok;
      } catch {
        return false;
      }
    },
    timeoutMs,
  );
}
