import { expect, it } from 'vitest';
import type { EngineOutage, JobStatus } from '../client.js';
import { sayWhyItWaits } from './say-why-it-waits.js';

const OUTAGE: EngineOutage = {
  engine: 'local',
  pools: ['default'],
  worker: '7@host',
  kind: 'provisioning',
  since: '2026-01-01T00:00:00.000Z',
  failures: 5,
  last: { code: 'ENGINE_FAULT', message: 'disk full', at: '2026-01-01T00:00:00.000Z' },
  nextProbeAt: null,
  confirmedAt: '2026-01-01T00:00:00.000Z',
};

/** Answers one after the other; the last one again and again. */
async function said(answers: Partial<JobStatus>[], signal = new AbortController().signal): Promise<string[]> {
  const texts: string[] = [];
  const left = [...answers];
  const status = () => Promise.resolve((left.length > 1 ? left.shift() : left[0]) as JobStatus);
  await sayWhyItWaits({ status }, { say: (text) => texts.push(text), signal, lookMs: 1 });
  return texts;
}

it('says each outage of an engine once while the job waits, and ends when the job runs', async () => {
  const later = { ...OUTAGE, since: '2026-01-01T01:00:00.000Z' };
  const texts = await said([
    { state: 'pending' },
    { state: 'pending', outages: [OUTAGE] },
    { state: 'preparing', outages: [OUTAGE] },
    { state: 'pending', outages: [later] },
    { state: 'running' },
  ]);

  expect(texts).toHaveLength(2);
  expect(texts[0]).toMatch(/^waiting: Engine "local" is out of rotation since 2026-01-01T00:00/);
});

it('says once what else holds it up', async () => {
  const hindrances = ['No engine serves pool "x".'];
  const texts = await said([{ state: 'pending', hindrances }, { state: 'pending', hindrances }, { state: 'running' }]);

  expect(texts).toEqual(['waiting: No engine serves pool "x".']);
});

it('ends with the wait for the job', async () => {
  expect(await said([{ state: 'pending' }], AbortSignal.timeout(20))).toEqual([]);
});
