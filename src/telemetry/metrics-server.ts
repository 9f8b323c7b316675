import { setTimeout as delay } from 'node:timers/promises';
import { fastify, type FastifyInstance } from 'fastify';
import { listen } from './listen.js';
import type { MachineCollector } from './machine-collector.js';
import type { WorkerMetrics } from './metrics.js';

/** A named condition of readiness; throws when it does not hold. */
export type ReadinessCheck = () => Promise<void>;

export interface MetricsServer {
  /** Where it listens, e.g. `127.0.0.1:9252`. */
  address: string;
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  /** `host:port`; port 0 takes any free one. */
  listenAddress: string;
  metrics: WorkerMetrics;
  collector: MachineCollector;
  checks: Record<string, ReadinessCheck>;
  /** Metrics in text form that come from elsewhere (the Temporal SDK's). Left out of a scrape when it throws. */
  extraMetrics?: () => Promise<string>;
  register?: (app: FastifyInstance) => void;
}

/** Better slightly old values than none. */
const MOST_PATIENCE_MS = 2_000;
/** A check that hangs is a check that fails; load balancers ask every few seconds. */
const CHECK_TIMEOUT_MS = 3_000;

/**
 * `/metrics`, `/metrics/machine?machine=…` (one machine alone, for service discovery), `/healthz` (the process answers),
 * `/readyz` (what it needs answers), `/sd/machines`, and what others register. Nothing on it is secret or can be changed.
 * @throws Error when the address cannot be listened on
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  // Prometheus keeps its connections open: they must not hold up the end of the worker.
  const app = fastify({ logger: false, bodyLimit: 4 * 1024 * 1024, forceCloseConnections: true });
  addMetricsRoutes(app, options);
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const results = await Promise.all(
      Object.entries(options.checks).map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    const ready = results.every(([, outcome]) => outcome === 'ok');
    return await reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ok' : 'not ready', checks: Object.fromEntries(results) });
  });
  options.register?.(app);
  return { address: await listen(app, 'metricsServer.listenAddress', options.listenAddress), close: () => app.close() };
}

/** How long a scrape may take to gather: a part of what Prometheus allows it, since one that comes too late is lost as a whole. */
function patienceOf(headers: Record<string, string | string[] | undefined>): number {
  const seconds = Number(headers['x-prometheus-scrape-timeout-seconds']);
  return seconds > 0 ? Math.min(MOST_PATIENCE_MS, seconds * 400) : MOST_PATIENCE_MS;
}

async function extraOrNothing(read: (() => Promise<string>) | undefined, patienceMs: number): Promise<string> {
  if (read === undefined) return '';
  const patience = new AbortController();
  const late = delay(patienceMs, '', { signal: patience.signal }).catch(() => '');
  try {
    return await Promise.race([read().catch(() => ''), late]);
  } finally {
    patience.abort();
  }
}

function addMetricsRoutes(app: FastifyInstance, options: MetricsServerOptions): void {
  const { collector } = options;
  const { registry } = options.metrics;

  app.get('/metrics', async (request, reply) => {
    const patienceMs = patienceOf(request.headers);
    const [extra] = await Promise.all([
      // Its absence shows in its own metrics; ours must not go with it.
      extraOrNothing(options.extraMetrics, patienceMs),
      collector.freshen(patienceMs),
    ]);
    return await reply.type(registry.contentType).send((await registry.metrics()) + extra);
  });

  app.get<{ Querystring: { machine?: string } }>('/metrics/machine', async (request, reply) => {
    await collector.freshen(patienceOf(request.headers));
    const text = await collector.textOf(request.query.machine ?? '');
    if (text === undefined) return await reply.code(404).type('text/plain').send('This machine is not here.\n');
    return await reply.type(registry.contentType).send(text);
  });

  // Prometheus' HTTP service discovery. A target a machine, each a page of its own: were all of them `/metrics`, each machine
  // would be scraped once per machine. The address is the one by which whoever asks has reached us.
  app.get('/sd/machines', async (request) => {
    await collector.freshen(MOST_PATIENCE_MS);
    return collector.live().map(({ machine, engine, job }) => ({
      targets: [request.host],
      labels: {
        __metrics_path__: '/metrics/machine',
        __param_machine: machine,
        instance: machine,
        __meta_holdfast_machine: machine,
        __meta_holdfast_engine: engine,
        __meta_holdfast_job: job,
      },
    }));
  });
}

async function outcomeOf(check: ReadinessCheck): Promise<string> {
  const timeout = new AbortController();
  try {
    const late = delay(CHECK_TIMEOUT_MS, undefined, { signal: timeout.signal }).then(() => {
      throw new Error(`no answer within ${String(CHECK_TIMEOUT_MS / 1000)} s`);
    });
    await Promise.race([check(), late]);
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    timeout.abort();
  }
}
