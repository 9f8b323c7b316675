import type { FastifyInstance } from 'fastify';
import type { JobPageQuery } from '../../client/job-page.js';
import { JOB_STATES, METRICS_STATES } from '../../contracts/names.js';
import { createJobFigureReader } from '../job-figures.js';
import { jobsPage } from '../pages/jobs.js';
import type { WebParts } from '../server.js';

/** The list of jobs. */
export function registerJobsRoute(app: FastifyInstance, { source, render }: WebParts): void {
  const figureReader = createJobFigureReader(source.store);
  app.get<{ Querystring: Record<string, string | string[] | undefined> }>('/', async (request, reply) => {
    const query = toQuery(request.query);
    const page = await source.list(query);
    const figures = await figureReader.read(page.jobs);
    return await reply
      .type('text/html; charset=utf-8')
      .send(render(jobsPage({ query, page, figures, nowMs: Date.now() })));
  });
}

/** What an address asks for; what makes no sense is left out, and the form shows that it was. */
function toQuery(given: Record<string, string | string[] | undefined>): JobPageQuery {
  const text = (name: string) => {
    const value = [given[name]].flat()[0]?.trim().slice(0, 300);
    return value === '' ? undefined : value;
  };
  const query = {
    text: text('q'),
    state: JOB_STATES.find((state) => state === text('state')),
    metrics: METRICS_STATES.find((state) => state === text('metrics')),
    project: text('project'),
    flag: text('flag'),
    page: [given['page']].flat()[0],
  };
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}
