import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { createKeyFile } from '../codec/key-ring.js';
import { SEARCH_ATTRIBUTES } from '../contracts/names.js';
import { superviseChild, type Child } from './child.js';
import { findTool } from './tools.js';
import { usablePort } from './ports.js';

export interface DevOptions {
  stateDirectory: string;
  configFile?: string;
  /** `auto`: any free ports; a number: that one and those after it. Default: the tools' usual ones where free. */
  ports?: string;
  say: (text: string) => void;
}

export interface DevAddresses {
  temporal: string;
  temporalUi: string;
  prometheus: string;
  workerMetrics: string;
  /** Configuration that a client uses to reach this stack. */
  configFile: string;
}

export interface DevStack extends DevAddresses {
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const LOOK_MS = 100;
/** So that a job of a few seconds has a graph. */
const SCRAPE_SECONDS = 1;

/** Temporal, Prometheus and one worker, all state in one directory. @throws Error naming what did not start and where its log is */
export async function startDev(options: DevOptions): Promise<DevStack> {
  const state = resolve(options.stateDirectory);
  mkdirSync(join(state, 'log'), { recursive: true, mode: 0o700 });
  const unlock = lock(state);
  const children: Child[] = [];
  async function stop(): Promise<void> {
    for (const child of [...children].reverse()) await child.stop();
    unlock();
  }
  try {
    const ports = await choosePorts(options);
    const addresses = await writeConfiguration(options, state, ports);
    const run = (name: string, command: string, args: string[]) =>
      children.push(
        superviseChild({ name, command, args, logFile: join(state, 'log', `${name}.log`), say: options.say }),
      );

    run('temporal', findTool('temporal', state), temporalArguments(state, ports));
    run('prometheus', findTool('prometheus', state), prometheusArguments(state, ports));
    await untilAnswers('Temporal', `http://${addresses.temporalUi.replace('http://', '')}`, state);
    await untilAnswers('Prometheus', `${addresses.prometheus}/-/ready`, state);
    run('worker', process.execPath, [
      fileURLToPath(new URL('../worker.js', import.meta.url)),
      '--config',
      addresses.configFile,
    ]);
    await untilAnswers('The worker', `${addresses.workerMetrics.replace('/metrics', '')}/readyz`, state);

    options.say(`Temporal UI     ${addresses.temporalUi}`);
    options.say(`Temporal        ${addresses.temporal}`);
    options.say(`Prometheus      ${addresses.prometheus}`);
    options.say(`worker metrics  ${addresses.workerMetrics}`);
    options.say(`configuration   ${addresses.configFile}`);
    return { ...addresses, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Ports {
  temporal: number;
  ui: number;
  prometheus: number;
  metrics: number;
}

async function choosePorts({ ports, say }: DevOptions): Promise<Ports> {
  const usual = { temporal: 7233, ui: 8233, prometheus: 9090, metrics: 9252 };
  if (ports === 'auto') {
    return {
      temporal: await usablePort(0),
      ui: await usablePort(0),
      prometheus: await usablePort(0),
      metrics: await usablePort(0),
    };
  }
  const base = ports === undefined ? undefined : Number(ports);
  const wanted = base === undefined ? usual : { temporal: base, ui: base + 1, prometheus: base + 2, metrics: base + 3 };
  const chosen = { ...wanted };
  for (const name of Object.keys(wanted) as (keyof Ports)[]) {
    chosen[name] = await usablePort(wanted[name]);
    if (chosen[name] !== wanted[name])
      say(`Port ${String(wanted[name])} is taken; ${name} is on ${String(chosen[name])}`);
  }
  return chosen;
}

async function writeConfiguration(options: DevOptions, state: string, ports: Ports): Promise<DevAddresses> {
  const given: unknown = options.configFile === undefined ? {} : parse(readFileSync(options.configFile, 'utf8'));
  const own = (given ?? {}) as Record<string, Record<string, unknown> | undefined>;
  const keyFile = join(state, 'key');
  await createKeyFile(keyFile);
  const configFile = join(state, 'holdfast.yaml');
  const metricsAddress = `127.0.0.1:${String(ports.metrics)}`;
  const config = {
    ...own,
    temporal: { ...own['temporal'], address: `127.0.0.1:${String(ports.temporal)}` },
    encryption: own['encryption'] ?? { keyFile },
    store: own['store'] ?? { directory: join(state, 'store') },
    metricsServer: { listenAddress: metricsAddress },
    codec: own['codec'] ?? {
      allowedOrigins: [`http://127.0.0.1:${String(ports.ui)}`, `http://localhost:${String(ports.ui)}`],
    },
    metrics: {
      step: '1s',
      sampleInterval: '1s',
      scrapeWait: '5s',
      ...own['metrics'],
      prometheusUrl: `http://127.0.0.1:${String(ports.prometheus)}`,
    },
  };
  writeFileSync(configFile, stringify(config), { mode: 0o600 });
  const prometheus = {
    global: { scrape_interval: `${String(SCRAPE_SECONDS)}s` },
    scrape_configs: [{ job_name: 'holdfast', static_configs: [{ targets: [metricsAddress] }] }],
  };
  writeFileSync(join(state, 'prometheus.yml'), stringify(prometheus));
  return {
    temporal: `127.0.0.1:${String(ports.temporal)}`,
    temporalUi: `http://127.0.0.1:${String(ports.ui)}`,
    prometheus: `http://127.0.0.1:${String(ports.prometheus)}`,
    workerMetrics: `http://${metricsAddress}/metrics`,
    configFile,
  };
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

async function untilAnswers(what: string, url: string, state: string): Promise<void> {
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline; await delay(LOOK_MS)) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      await response.arrayBuffer();
      if (response.ok) return;
    } catch {
      // Not yet; the deadline bounds the wait.
    }
  }
  throw new Error(
    `${what} did not start in ${String(START_TIMEOUT_MS / 1000)} s; the logs are in ${join(state, 'log')}`,
  );
}

/** Two stacks on one state directory would spoil it. A lock of a process that has died does not count. */
function lock(state: string): () => void {
  const file = join(state, 'dev.pid');
  if (existsSync(file)) {
    const pid = Number(readFileSync(file, 'utf8'));
    if (isAlive(pid)) throw new Error(`"holdfast dev" is running already on ${state} (process ${String(pid)})`);
  }
  writeFileSync(file, String(process.pid));
  return () => rmSync(file, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && pid !== process.pid && process.kill(pid, 0);
  } catch {
    return false; // no such process
  }
}
