import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { findTool } from '../../../src/dev/tools.js';
import { freePort, startProcess, until, untilHttp, type Process } from '../processes.js';

/** A real Prometheus with its own directory, port and configuration; the port stays over restarts. */
export interface PrometheusServer {
  readonly url: string;
  /** Its blocks and its log of changes. */
  readonly dataDirectory: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Ends it, and everything that it knew is gone. */
  stopAndLose(): Promise<void>;
}

export interface PrometheusServerOptions {
  directory: string;
  /** As in `prometheus.yml`. */
  scrapeConfigs?: object[];
  scrapeInterval?: string;
  /** As in its web configuration file: TLS, users. */
  web?: object;
  args?: string[];
}

export async function createPrometheusServer(options: PrometheusServerOptions): Promise<PrometheusServer> {
  const { directory, web } = options;
  const port = await freePort();
  const dataDirectory = join(directory, 'prometheus-data');
  mkdirSync(dataDirectory, { recursive: true });
  const configFile = join(directory, 'prometheus-server.yml');
  writeFileSync(
    configFile,
    stringify({
      global: { scrape_interval: options.scrapeInterval ?? '1s' },
      scrape_configs: options.scrapeConfigs ?? [],
    }),
  );
  const webFile = join(directory, 'prometheus-web.yml');
  if (web !== undefined) writeFileSync(webFile, stringify(web));
  const isTls = web !== undefined && 'tls_server_config' in web;
  const url = `${isTls ? 'https' : 'http'}://127.0.0.1:${String(port)}`;
  let running: Process | undefined;

  async function stop(): Promise<void> {
    await running?.stop();
    running = undefined;
  }

  return {
    url,
    dataDirectory,
    async start() {
      running = startProcess(
        findTool('prometheus', '.holdfast'),
        [
          `--config.file=${configFile}`,
          `--storage.tsdb.path=${dataDirectory}`,
          `--web.listen-address=127.0.0.1:${String(port)}`,
          ...(web === undefined ? [] : [`--web.config.file=${webFile}`]),
          '--log.level=error',
          ...(options.args ?? []),
        ],
        join(directory, 'prometheus.log'),
      );
      // Behind TLS or a password only its user can ask whether it is ready: until its database is open it answers 503.
      if (web === undefined) await untilHttp(`${url}/-/ready`);
      else await until(url, () => listens(port));
    },
    stop,
    async stopAndLose() {
      await stop();
      rmSync(dataDirectory, { recursive: true });
      mkdirSync(dataDirectory);
    },
  };
}

async function listens(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
