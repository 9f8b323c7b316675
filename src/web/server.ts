import { fastify, type FastifyInstance } from 'fastify';
import { listen } from '../telemetry/listen.js';
import type { Logger } from '../telemetry/logger.js';
import { registerAccess } from './access.js';
import { registerAssets, type WebAssets } from './assets.js';
import { toFailure } from './failures.js';
import { PAGE_HEADERS } from './headers.js';
import type { JobSource } from './job-source.js';
import { createLayout, type RenderPage } from './layout.js';
import { messagePage } from './pages/message.js';
import { registerJobRoutes } from './routes/job.js';
import { registerJobsRoute } from './routes/jobs.js';
import { registerTraceRoutes } from './routes/trace.js';
import { registerUsageRoute } from './routes/usage.js';
import { createTraceReader, type TraceReader } from './trace/trace-reader.js';

export interface WebServer {
  /** Where it listens, e.g. `127.0.0.1:8080`. */
  address: string;
  close(): Promise<void>;
}

export interface WebServerOptions {
  listenAddress: string;
  token: string | undefined;
  temporalUi?: { url: string; namespace: string };
  source: JobSource;
  assets: WebAssets;
  logger: Logger;
}

/** What the routes are made of. */
export interface WebParts extends WebServerOptions {
  render: RenderPage;
  traces: TraceReader;
}

/**
 * The job pages: read-only, each as HTML that is whole without a script, and `/data/…` for the scripts.
 * @throws ListenError
 */
export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
  const app = createWebApp(options);
  return { address: await listen(app, 'web.listenAddress', options.listenAddress), close: () => app.close() };
}

/** All routes, not listening yet. */
export function createWebApp(options: WebServerOptions): FastifyInstance {
  const parts: WebParts = {
    ...options,
    render: createLayout((name) => options.assets.url(name)),
    traces: createTraceReader(options.source.store),
  };
  // Ids are long where a user chose them so. A page that follows a trace must not hold up the worker's end.
  const app = fastify({
    logger: false,
    bodyLimit: 4096,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 2048 },
  });
  app.addHook('onRequest', async (_request, reply) => {
    void reply.headers(PAGE_HEADERS);
  });
  registerFailures(app, parts);
  registerAccess(app, parts);
  registerAssets(app, options.assets);
  registerJobsRoute(app, parts);
  registerJobRoutes(app, parts);
  registerTraceRoutes(app, parts);
  registerUsageRoute(app, parts);
  return app;
}

function registerFailures(app: FastifyInstance, { render, logger }: WebParts): void {
  app.setNotFoundHandler(async (request, reply) => {
    const text = `There is nothing at ${request.url.slice(0, 200)}.`;
    return await reply
      .code(404)
      .type('text/html; charset=utf-8')
      .send(render(messagePage('No such page', text)));
  });
  app.setErrorHandler(async (error, request, reply) => {
    const { status, title, text, remedy, unexpected } = toFailure(error);
    if (unexpected) logger.error({ error, url: request.url }, 'A job page could not be made');
    void reply.code(status);
    if (request.url.startsWith('/data/')) return await reply.send({ title, message: `${text} ${remedy}` });
    return await reply.type('text/html; charset=utf-8').send(render(messagePage(title, text, remedy)));
  });
}
