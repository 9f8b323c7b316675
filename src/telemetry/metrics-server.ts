import { fastify, type FastifyInstance } from 'fastify';
import type { MachineCollector } from './machine-collector.js';
import type { WorkerMetrics } from './metrics.js';

/** A named condition of readiness; throws when it does not hold. */
export type ReadinessCheck = () => Promise<void>;

export interface MetricsServer {
  /** Where it listens, e.g. `127.0.0.1:9252`. */
  address: string;
  close(): Promise<void>;
}

/** `/metrics`, `/healthz`, `/readyz`, `/sd/machines`, and what others register. */
export async function startMetricsServer(options: {
  listenAddress: string;
  metrics: WorkerMetrics;
  collector: MachineCollector;
  checks: Record<string, ReadinessCheck>;
  /** Metrics in text form that come from elsewhere (the Temporal SDK's). */
  extraMetrics?: () => Promise<string>;
  register?: (app: FastifyInstance) => void;
}): Promise<MetricsServer> {
  const app = fastify({ logger: false, bodyLimit: 4 * 1024 * 1024 });
  const { registry } = options.metrics;
  let ownAddress = options.listenAddress;

  app.get('/metrics', async (_request, reply) => {
    const own = await registry.metrics();
    const extra = options.extraMetrics === undefined ? '' : await options.extraMetrics().catch(() => '');
    return reply.type(registry.contentType).send(own + extra);
  });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const results = await Promise.all(
      Object.entries(options.checks).map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    const ready = results.every(([, outcome]) => outcome === 'ok');
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ok' : 'not ready', checks: Object.fromEntries(results) });
  });
  // Prometheus' HTTP service discovery: one target a machine, all scraped at this worker.
  app.get('/sd/machines', () =>
    options.collector.live().map(({ machine, engine }) => ({
      targets: [ownAddress],
      labels: { __meta_holdfast_machine: machine, __meta_holdfast_engine: engine },
    })),
  );
  options.register?.(app);

  const { host, port } = splitAddress(options.listenAddress);
  await app.listen({ host, port });
  const bound = app.server.address();
  if (typeof bound === 'object' && bound !== null) ownAddress = `${host}:${String(bound.port)}`;
  return { address: ownAddress, close: () => app.close() };
}

async function outcomeOf(check: ReadinessCheck): Promise<string> {
  try {
    await check();
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
