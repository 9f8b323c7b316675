import type { FastifyInstance } from 'fastify';
import { readUsage } from '../../metrics/usage-log.js';
import { usagePage } from '../pages/usage.js';
import type { WebParts } from '../server.js';

export function registerUsageRoute(app: FastifyInstance, { source, render }: WebParts): void {
  app.get<{ Querystring: Record<string, string | string[] | undefined> }>('/usage', async (request, reply) => {
    const given = [request.query['project']].flat()[0]?.trim();
    const project = given === '' ? undefined : given;
    const usages = await readUsage(source.store, project === undefined ? {} : { project });
    return await reply.type('text/html; charset=utf-8').send(render(usagePage(usages, project)));
  });
}
