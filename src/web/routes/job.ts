import type { FastifyInstance } from 'fastify';
import { JobNotFoundError } from '../../client/errors.js';
import { isFinalJobState, shortJobId } from '../../contracts/names.js';
import { MetricsDocument } from '../../metrics/document.js';
import { jobKeys } from '../../store/keys.js';
import type { Store } from '../../store/store.js';
import { downloadHeaders } from '../headers.js';
import { forgottenJobPage, jobPage } from '../pages/job.js';
import { metricsReport } from '../report.js';
import type { WebParts } from '../server.js';
import { jobPath } from '../words.js';
import type { JobRoute } from './trace.js';

const HTML = 'text/html; charset=utf-8';

/** A job's page, its artifacts and its metrics document. */
export function registerJobRoutes(
  app: FastifyInstance,
  { source, render, temporalUi, traces, assets }: WebParts,
): void {
  const { store } = source;

  app.get<JobRoute>('/jobs/*', async (request, reply) => {
    const given = request.params['*'];
    const id = await source.resolve(given);
    if (id !== given) return await reply.redirect(jobPath('/jobs', id), 302);
    const known = source.status(id).catch((error: unknown) => notFoundAsUndefined(error));
    const [status, flight, trace, metrics] = await Promise.all([
      known,
      // What happened when is worth less than the rest of the page, which is there without it.
      known.then((status) => (status === undefined ? undefined : source.flight(status))).catch(() => undefined),
      traces.state(id),
      readMetrics(store, id),
    ]);
    if (status === undefined) {
      if (trace.bytes === 0) throw new JobNotFoundError(`There is no job ${id}`);
      return await reply
        .code(404)
        .type(HTML)
        .send(render(forgottenJobPage(id)));
    }
    const data = { status, flight, trace, metrics, temporalUi, nowMs: Date.now(), over: isFinalJobState(status.state) };
    return await reply.type(HTML).send(render(jobPage(data)));
  });

  app.get<JobRoute>('/data/artifact/*', async (request, reply) => {
    const { artifacts } = await source.status(request.params['*']);
    const artifact = artifacts.find(({ key }) => key.endsWith(`/${request.query['file'] ?? ''}`));
    const bytes = artifact === undefined ? undefined : await store.stream(artifact.key);
    if (artifact === undefined || bytes === undefined)
      return await reply.code(404).send({ message: 'The job has no such artifact, or the store no longer has it' });
    return await reply.headers({ ...downloadHeaders(artifact.name), 'content-length': artifact.bytes }).send(bytes);
  });

  app.get<JobRoute>('/data/report/*', async (request, reply) => {
    const id = request.params['*'];
    const [document, status] = await Promise.all([readMetrics(store, id), source.status(id)]);
    if (document === undefined) return await reply.code(404).send({ message: 'No metrics are kept of this job (yet)' });
    const name = `metrics-${shortJobId(id)}.html`;
    return await reply.headers(downloadHeaders(name)).send(metricsReport(document, status, assets));
  });

  app.get<JobRoute>('/data/metrics/*', async (request, reply) => {
    const document = await store.read(jobKeys.metrics(request.params['*']));
    if (document === undefined) return await reply.code(404).send({ message: 'No metrics are kept of this job (yet)' });
    return await reply.type('application/json; charset=utf-8').send(document);
  });
}

async function readMetrics(store: Store, workflowId: string): Promise<MetricsDocument | undefined> {
  const kept = await store.read(jobKeys.metrics(workflowId));
  return kept === undefined ? undefined : MetricsDocument.safeParse(JSON.parse(kept.toString('utf8'))).data;
}

function notFoundAsUndefined(error: unknown): undefined {
  if (!(error instanceof JobNotFoundError)) throw error;
}
