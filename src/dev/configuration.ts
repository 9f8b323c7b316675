import { readFileSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { createKeyFile } from '../codec/key-ring.js';
import type { Config } from '../config/schema.js';
import type { DevAddresses } from './dev-state.js';
import type { Ports } from './ports.js';

/** So that a job of a few seconds has a graph. */
const SCRAPE_SECONDS = 1;

/**
 * The user's configuration with the stack's own addresses in it, and Prometheus' own. What the embedded defaults say of store and
 * key holds here too, so that `holdfast run` needs no `--config` beside a stack on the usual ports.
 * @param given.file absent: the defaults
 */
export async function writeConfiguration(
  given: { file: string | undefined; config: Config },
  state: string,
  ports: Ports,
): Promise<DevAddresses> {
  const parsed: unknown = given.file === undefined ? {} : parse(readFileSync(given.file, 'utf8'));
  const own = (parsed ?? {}) as Record<string, Record<string, unknown> | undefined>;
  const metricsAddress = loopback(ports.metrics);
  const webAddress = loopback(ports.web);
  const prometheusUrl = `http://${loopback(ports.prometheus)}`;
  const store = own['store'] === undefined ? { directory: join(state, 'store') } : own['store'];
  const config = {
    ...own,
    temporal: { ...own['temporal'], address: loopback(ports.temporal) },
    encryption: own['encryption'] ?? (await defaultKey(store)),
    store,
    metricsServer: { ...own['metricsServer'], listenAddress: metricsAddress },
    web: { temporalUiUrl: `http://${loopback(ports.ui)}`, ...own['web'], listenAddress: webAddress },
    codec: own['codec'] ?? {
      allowedOrigins: [`http://127.0.0.1:${String(ports.ui)}`, `http://localhost:${String(ports.ui)}`],
    },
    engines: own['engines'] ?? defaultEngines(process.env['DOCKER_HOST']),
    metrics: { step: '1s', sampleInterval: '500ms', scrapeWait: '5s', ...own['metrics'], prometheusUrl },
  };
  const configFile = join(state, 'holdfast.yaml');
  const about = '# Written by "holdfast dev" at each start; --config FILE gives it yours to begin with.\n';
  writeFileSync(configFile, about + stringify(config), { mode: 0o600 });
  const prometheus = {
    global: { scrape_interval: `${String(SCRAPE_SECONDS)}s` },
    scrape_configs: [{ job_name: 'holdfast', static_configs: [{ targets: [metricsAddress] }] }],
  };
  writeFileSync(join(state, 'prometheus.yml'), stringify(prometheus));
  return {
    temporal: loopback(ports.temporal),
    temporalUi: `http://${loopback(ports.ui)}`,
    prometheus: prometheusUrl,
    workerMetrics: `http://${metricsAddress}/metrics`,
    web: `http://${webAddress}`,
    configFile,
  };
}

/** In the store, where a client that was given no configuration looks for it. */
async function defaultKey(store: Record<string, unknown>): Promise<{ keyFile?: string }> {
  const directory = store['directory'];
  if (typeof directory !== 'string') return {};
  const keyFile = join(isAbsolute(directory) ? directory : resolve(directory), 'key');
  await createKeyFile(keyFile);
  return { keyFile };
}

function defaultEngines(dockerHost: string | undefined): object[] | undefined {
  return dockerHost === undefined || dockerHost === '' ? undefined : [{ name: 'local', docker: { host: dockerHost } }];
}

function loopback(port: number): string {
  return `127.0.0.1:${String(port)}`;
}
