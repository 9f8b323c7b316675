import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { createHoldfastClient, type HoldfastClient } from '../../src/client.js';
import { createKeyFile } from '../../src/codec/key-ring.js';
import { parseConfig } from '../../src/config/load.js';
import { findTool } from '../../src/dev/tools.js';
import { docker, ensureTestImage, removeAll, TEST_IMAGE } from './docker.js';
import { freePort, startProcess, untilHttp, type Process } from './processes.js';
import { startDevServer } from './temporal-server.js';

/** Temporal, Prometheus and a worker, all real, each a process that a test may kill. */
export interface Stack {
  readonly directory: string;
  readonly shared: string;
  readonly engine: string;
  readonly configFile: string;
  /** What is in it. */
  readonly given: { metrics: object };
  readonly temporalAddress: string;
  readonly temporalUiUrl: string;
  readonly prometheusUrl: string;
  readonly metricsUrl: string;
  /** Where the job pages are. */
  readonly webUrl: string;
  readonly client: HoldfastClient;
  /** The one that was started last, of those that run. */
  worker(): Process;
  /**
   * @param options.beside another one at the same time, with ports of its own
   * @param options.program another build of the worker
   * @param options.through makes of its command line another one, which runs it (in a container, with another clock)
   * @param options.top merged into the configuration's top level; with `beside` only
   */
  startWorker(options?: StartWorkerOptions): Promise<Process>;
  startPrometheus(): Promise<void>;
  stopPrometheus(): Promise<void>;
  temporal(): Process;
  startTemporal(): Promise<void>;
  /** Containers and networks of this stack's engine that belong to a job: to any, or to this one. */
  leftovers(workflowId?: string): string[];
  close(): Promise<void>;
}

export interface StartWorkerOptions {
  beside?: boolean;
  /** Prometheus scrapes it, too; else the first worker alone. */
  scraped?: boolean;
  program?: string;
  through?: (command: readonly string[]) => string[];
  top?: object;
}

export interface StackOverrides {
  engine?: object;
  /** Further engines on the same daemon, by the pool that each serves alone. */
  engines?: Record<string, object>;
  metrics?: object;
  /** Merged into the configuration's top level. */
  top?: object;
  /** False: not started. */
  prometheus?: boolean;
  /** Client of the engine that the stack uses; default: the machine's own. */
  docker?: typeof docker;
  /** Of Prometheus; default `1s`. */
  scrapeInterval?: string;
  /** The way to Temporal that workers take, from its own address; the stack's client goes straight there. */
  wayToTemporal?: (address: { host: string; port: number }) => Promise<string>;
  /** Makes another program of the worker, in the stack's directory. */
  workerProgram?: (directory: string) => Promise<string>;
}

export async function startStack(overrides: StackOverrides = {}): Promise<Stack> {
  ensureTestImage();
  const ask = overrides.docker ?? docker;
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-stack-'));
  const shared = join(directory, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  const engine = `t-${randomBytes(4).toString('hex')}`;
  const engineNames = [engine, ...Object.keys(overrides.engines ?? {}).map((pool) => `${engine}-${pool}`)];
  const ports = {
    temporal: await freePort(),
    ui: await freePort(),
    prometheus: await freePort(),
    metrics: await freePort(),
    web: await freePort(),
  };
  const keyFile = join(directory, 'key');
  await createKeyFile(keyFile);
  const temporalAddress = `127.0.0.1:${String(ports.temporal)}`;
  const given = {
    temporal: {
      address: (await overrides.wayToTemporal?.({ host: '127.0.0.1', port: ports.temporal })) ?? temporalAddress,
    },
    encryption: { keyFile },
    store: { directory: join(directory, 'store') },
    metricsServer: { listenAddress: `127.0.0.1:${String(ports.metrics)}` },
    web: { listenAddress: `127.0.0.1:${String(ports.web)}`, temporalUiUrl: `http://127.0.0.1:${String(ports.ui)}` },
    engines: [
      {
        name: engine,
        defaultImage: TEST_IMAGE,
        helperImage: 'alpine/git',
        volumes: [`${shared}:/shared`],
        ...overrides.engine,
      },
      ...Object.entries(overrides.engines ?? {}).map(([pool, settings]) => ({
        name: `${engine}-${pool}`,
        pools: [pool],
        defaultImage: TEST_IMAGE,
        helperImage: 'alpine/git',
        volumes: [`${shared}:/shared`],
        ...settings,
      })),
    ],
    metrics: {
      prometheusUrl: `http://127.0.0.1:${String(ports.prometheus)}`,
      step: '1s',
      sampleInterval: '500ms',
      scrapeWait: '4s',
      ...overrides.metrics,
    },
    ...overrides.top,
  };
  const configFile = join(directory, 'holdfast.yaml');
  writeFileSync(configFile, stringify(given), { mode: 0o600 });
  writeFileSync(
    join(directory, 'prometheus.yml'),
    stringify({
      global: { scrape_interval: overrides.scrapeInterval ?? '1s' },
      scrape_configs: [
        {
          job_name: 'holdfast',
          static_configs: [{ targets: [`127.0.0.1:${String(ports.metrics)}`] }],
          file_sd_configs: [{ files: [join(directory, 'scraped-*.json')], refresh_interval: '1s' }],
        },
      ],
    }),
  );
  const log = (name: string) => join(directory, `${name}.log`);
  const metricsUrl = `http://127.0.0.1:${String(ports.metrics)}`;

  const defaultProgram = (await overrides.workerProgram?.(directory)) ?? resolve('dist/worker.js');
  let temporal: Process | undefined;
  let prometheus: Process | undefined;
  const workers: Process[] = [];
  const ended = new Set<Process>();

  async function startTemporal(): Promise<void> {
    temporal = startDevServer({ directory, port: ports.temporal, uiPort: ports.ui });
    await untilHttp(`http://127.0.0.1:${String(ports.ui)}`);
  }

  async function startPrometheus(): Promise<void> {
    prometheus = startProcess(
      findTool('prometheus', '.holdfast'),
      [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'prometheus')}`,
        `--web.listen-address=127.0.0.1:${String(ports.prometheus)}`,
        '--log.level=error',
      ],
      log('prometheus'),
    );
    await untilHttp(`http://127.0.0.1:${String(ports.prometheus)}/-/ready`);
  }

  async function startWorker(options: StartWorkerOptions = {}): Promise<Process> {
    const own = options.beside === true ? await besideConfig(options.top ?? {}) : { file: configFile, url: metricsUrl };
    if (options.scraped === true) {
      const { host } = new URL(own.url);
      writeFileSync(join(directory, `scraped-${host.replace(':', '-')}.json`), JSON.stringify([{ targets: [host] }]));
    }
    const program = options.program ?? defaultProgram;
    const plain = [process.execPath, program, '--config', own.file];
    const [command = process.execPath, ...args] = options.through?.(plain) ?? plain;
    const worker = startProcess(command, args, log('worker'));
    workers.push(worker);
    void worker.exited.then(() => ended.add(worker));
    const endedEarly = worker.exited.then((how) => {
      const last = readFileSync(log('worker'), 'utf8').slice(-1_000);
      throw new Error(`The worker has ended (${String(how)}) before it was ready: ${log('worker')}\n${last}`);
    });
    await Promise.race([untilHttp(`${own.url}/readyz`), endedEarly]);
    return worker;
  }

  async function besideConfig(top: object): Promise<{ file: string; url: string }> {
    const port = await freePort();
    const file = join(directory, `holdfast-${String(port)}.yaml`);
    const listen = { listenAddress: `127.0.0.1:${String(port)}` };
    const web = { listenAddress: `127.0.0.1:${String(await freePort())}` };
    writeFileSync(file, stringify({ ...given, ...top, metricsServer: listen, web }), { mode: 0o600 });
    return { file, url: `http://${listen.listenAddress}` };
  }

  const client = await startAll().catch(async (error: unknown) => {
    await stopAll();
    throw error;
  });

  async function startAll(): Promise<HoldfastClient> {
    await startTemporal();
    if (overrides.prometheus !== false) await startPrometheus();
    await startWorker();
    return await createHoldfastClient(parseConfig({ ...given, temporal: { address: temporalAddress } }, configFile));
  }

  /** Whatever does not end as it should, the rest is ended, too. */
  async function stopAll(): Promise<void> {
    const ends = await Promise.allSettled(
      workers.map(async (worker) => {
        worker.kill('SIGCONT');
        await worker.stop();
      }),
    );
    ends.push(...(await Promise.allSettled([prometheus?.stop()])));
    await temporal?.stop('SIGKILL');
    for (const name of engineNames) removeAll(name, ask);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason as Error;
  }

  function leftovers(workflowId?: string): string[] {
    return engineNames.flatMap((name) => leftoversOf(name, workflowId));
  }

  function leftoversOf(name: string, workflowId?: string): string[] {
    const labels = ['--filter', `label=holdfast.engine=${name}`];
    if (workflowId !== undefined) labels.push('--filter', `label=holdfast.job=${workflowId}`);
    const containers = ask('ps', '-a', ...labels, '--format', '{{.Label "holdfast.job"}} {{.Names}}').filter(
      (line) => !line.includes('-warm-'),
    );
    return [...containers, ...ask('network', 'ls', ...labels, '--format', '{{.Name}}')];
  }

  return {
    directory,
    shared,
    engine,
    configFile,
    given,
    temporalAddress,
    temporalUiUrl: `http://127.0.0.1:${String(ports.ui)}`,
    prometheusUrl: `http://127.0.0.1:${String(ports.prometheus)}`,
    metricsUrl,
    webUrl: `http://127.0.0.1:${String(ports.web)}`,
    client,
    worker: () => {
      const last = workers.findLast((worker) => !ended.has(worker));
      if (last === undefined) throw new Error('No worker runs');
      return last;
    },
    startWorker,
    startPrometheus,
    async stopPrometheus() {
      await prometheus?.stop();
      prometheus = undefined;
    },
    temporal: () => {
      if (temporal === undefined) throw new Error('Temporal was not started');
      return temporal;
    },
    startTemporal,
    leftovers,
    async close() {
      await client.close();
      await stopAll().finally(() => rmSync(directory, { recursive: true, force: true }));
    },
  };
}
