import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../config/load.js';
import { SEARCH_ATTRIBUTES } from '../contracts/names.js';
import { superviseChild, type Child } from './child.js';
import { writeConfiguration } from './configuration.js';
import { lockState, type DevAddresses } from './dev-state.js';
import { choosePorts, type Ports } from './ports.js';
import { findTool } from './tools.js';
import { dynamicConfigArguments } from './temporal-settings.js';

export type { DevAddresses };

export interface DevOptions {
  stateDirectory: string;
  /** Absent: `holdfast.yaml` where there is one, else the defaults. */
  configFile?: string;
  /** See `choosePorts`. */
  ports?: string;
  say: (text: string) => void;
  /** Gives up the start. */
  signal?: AbortSignal;
}

export interface DevStack extends DevAddresses {
  /** @param options.hard at once; jobs go on all the same at the next start */
  stop(options?: { hard?: boolean }): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const LOOK_MS = 100;

/**
 * Temporal, Prometheus and one worker, all state in one directory.
 * @throws ConfigError, UsageError; Error naming what did not start and why
 */
export async function startDev(options: DevOptions): Promise<DevStack> {
  const given = loadConfig({ file: options.configFile, ignoreRunningDev: true });
  const state = resolve(options.stateDirectory);
  const tools = { temporal: findTool('temporal', state), prometheus: findTool('prometheus', state) };
  mkdirSync(join(state, 'log'), { recursive: true, mode: 0o700 });
  const lock = await lockState(state, options.say);
  const children: Child[] = [];
  async function stop(how: { hard?: boolean } = {}): Promise<void> {
    for (const child of [...children].reverse()) await child.stop(how);
    lock.unlock();
  }
  async function start(name: string, command: string, args: string[], url: string): Promise<void> {
    const child = superviseChild({
      name,
      command,
      args,
      logFile: join(state, 'log', `${name}.log`),
      say: options.say,
      started: (pid) => lock.childStarted(name, pid),
      ended: () => lock.childEnded(name),
    });
    children.push(child);
    await untilAnswers({ name, url, child, state, signal: options.signal });
    child.ready();
  }
  try {
    const ports = await choosePorts({ ports: options.ports, config: given.config, say: options.say });
    const addresses = await writeConfiguration(given, state, ports);
    const holdfast = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));
    await Promise.all([
      start('temporal', tools.temporal, temporalArguments(state, ports), addresses.temporalUi),
      start('prometheus', tools.prometheus, prometheusArguments(state, ports), `${addresses.prometheus}/-/ready`),
    ]);
    const ready = `${addresses.workerMetrics.replace('/metrics', '')}/readyz`;
    await start('worker', holdfast, ['worker', '--config', addresses.configFile], ready);
    lock.ready(addresses);
    return { ...addresses, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function temporalArguments(state: string, ports: Ports): string[] {
  return [
    'server',
    'start-dev',
    '--ip=127.0.0.1',
    `--port=${String(ports.temporal)}`,
    `--ui-port=${String(ports.ui)}`,
    `--db-filename=${join(state, 'temporal.db')}`,
    // Twice the throughput of SQLite's defaults, and as safe against a crash of the process.
    '--sqlite-pragma=journal_mode=wal',
    '--sqlite-pragma=synchronous=normal',
    ...dynamicConfigArguments(),
    '--log-level=error',
    `--ui-codec-endpoint=http://127.0.0.1:${String(ports.metrics)}`,
    ...Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => `--search-attribute=${name}=${type}`),
  ];
}

function prometheusArguments(state: string, ports: Ports): string[] {
  return [
    `--config.file=${join(state, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(state, 'prometheus')}`,
    `--web.listen-address=127.0.0.1:${String(ports.prometheus)}`,
    '--log.level=warn',
  ];
}

async function untilAnswers(options: {
  name: string;
  url: string;
  child: Child;
  state: string;
  signal: AbortSignal | undefined;
}): Promise<void> {
  const { name, url, child, state, signal } = options;
  let failure: string | undefined;
  void child.failedToStart.then((text) => (failure = text));
  let last = 'no answer';
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline; await delay(LOOK_MS)) {
    if (signal?.aborted === true) throw new Error('The start was given up');
    if (failure !== undefined) throw new Error(failure);
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      last = (await response.text()).slice(0, 500);
      if (response.ok) return;
    } catch {
      // Not yet; the deadline bounds the wait.
    }
  }
  throw new Error(
    `${name} is not ready after ${String(START_TIMEOUT_MS / 1000)} s; it last said: ${last}. Its log: ${join(state, 'log', `${name}.log`)}`,
  );
}
