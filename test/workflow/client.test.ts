import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listIncompleteMetrics } from '../../src/client/incomplete-metrics.js';
import { NAME_MEMO } from '../../src/client/job-summary.js';
import { createHoldfastClient, JobNotFoundError, type HoldfastClient } from '../../src/client.js';
import { listJobPage } from '../../src/client/job-page.js';
import { parseKeyRing } from '../../src/codec/key-ring.js';
import { createPayloadCodec } from '../../src/codec/payload-codec.js';
import { ConfigError, parseConfig } from '../../src/config/load.js';
import { CI_JOB_WORKFLOW, REPLAY_METRICS_WORKFLOW } from '../../src/contracts/names.js';
import { incompleteKeys } from '../../src/store/keys.js';
import { until } from '../support/processes.js';
import { startFakeWorld, type FakeWorld } from './fake-world.js';

/** What our client makes of jobs that somebody else has started. */

let world: FakeWorld;
let client: HoldfastClient;
const directory = mkdtempSync(join(tmpdir(), 'holdfast-client-'));

beforeAll(async () => {
  world = await startFakeWorld();
  const given = { temporal: { address: world.address }, store: { directory: join(directory, 'store') } };
  client = await createHoldfastClient(parseConfig(given, 'the test'));
});

afterAll(async () => {
  await client.close();
  await world.close();
  rmSync(directory, { recursive: true, force: true });
});

const unique = () => randomBytes(6).toString('hex');

/** As `temporal workflow start` does, on a queue that nobody serves. */
async function start(workflowId: string, type = CI_JOB_WORKFLOW): Promise<string> {
  await world.client.workflow.start(type, {
    workflowId,
    taskQueue: 'nobody',
    args: [{ version: 1, job: { script: ['true'] } }],
  });
  return workflowId;
}

/** By somebody whose key we do not have. */
async function startSealed(workflowId: string, taskQueue = 'nobody'): Promise<string> {
  const key = Buffer.alloc(32, 7).toString('base64');
  const codec = createPayloadCodec(parseKeyRing(`theirs:${key}`));
  const { connection } = world.client;
  const theirs = new Client({ connection, dataConverter: { payloadCodecs: [codec] } });
  await theirs.workflow.start(CI_JOB_WORKFLOW, {
    workflowId,
    taskQueue,
    args: [{ version: 1, job: { script: ['true'] } }],
    memo: { [NAME_MEMO]: 'secret', entry: 'main' },
  });
  return workflowId;
}

async function listed(workflowId: string): Promise<void> {
  const ids = async () => (await client.listJobs({ limit: 1000 })).map((job) => job.workflowId);
  await until('the job in the list', async () => (await ids()).includes(workflowId));
}

async function found(id: string): Promise<string> {
  return (await client.job(id)).workflowId;
}

describe('a job', () => {
  it('is found at once by whatever workflow id it was started with', async () => {
    for (const id of [unique(), `job/${unique()}`, `job/${unique()}/${unique()}`, `a team/${unique()}`]) {
      await start(id);
      expect(await found(id)).toBe(id);
    }
  });

  it('is found at once by what "run --id" was given', async () => {
    for (const id of [unique(), `${unique()}/${unique()}`]) {
      await start(`job/${id}`);
      expect(await found(id)).toBe(`job/${id}`);
    }
  });

  it('is found by the last part of any workflow id', async () => {
    const part = unique();
    await listed(await start(`job/${unique()}/${part}`));

    expect(await found(part)).toMatch(new RegExp(`^job/.*/${part}$`));
  });

  it('is not guessed where the last part is that of several', async () => {
    const [id, part] = [unique(), unique()];
    await Promise.all([start(`job/${id}`), listed(await start(`gitlab/a.example/${id}`))]);
    for (const team of ['one', 'two']) await listed(await start(`${team}/${part}`));

    await expect(client.job(id)).rejects.toThrow(`job/${id}, gitlab/a.example/${id}. Give the whole workflow id`);
    await expect(client.job(part)).rejects.toThrow(JobNotFoundError);
    expect(await found(`one/${part}`)).toBe(`one/${part}`);
  });

  it('is one that was started as a job', async () => {
    const other = await start(`other/${unique()}`, REPLAY_METRICS_WORKFLOW);

    await expect((await client.job('nope')).status()).rejects.toThrow('There is no job job/nope');
    await expect((await client.job(other)).status()).rejects.toThrow(`There is no job ${other}`);
    await expect(client.job('')).rejects.toThrow(JobNotFoundError);
  });

  it.each(['', ' ', 'a b', '/', 'a/', 'x'.repeat(201)])('is not started with the id "%s"', async (id) => {
    await expect(client.startJob({ script: ['true'] }, { id })).rejects.toThrow('id: must be 1 to 200 characters');
  });

  it('of which nobody knows has no metrics to replay', async () => {
    await expect(client.replayMetrics('nope')).rejects.toThrow('There is no job job/nope');
    await expect(client.jobToReplay('job/nope')).rejects.toThrow(JobNotFoundError);
    await expect(client.temporal.workflow.getHandle('replay-metrics/job/nope').describe()).rejects.toThrow();
  });
});

it('a namespace that Temporal does not know is a mistake in the configuration', async () => {
  const temporal = { address: world.address, namespace: 'nope' };
  const lost = await createHoldfastClient(
    parseConfig({ temporal, store: { directory: join(directory, 'store') } }, 'the test'),
  );

  await expect(lost.listJobs()).rejects.toBeInstanceOf(ConfigError);
  await expect(lost.startJob({ script: ['true'] })).rejects.toThrow(/temporal\.namespace.*nope/s);
  await expect(lost.job('x')).rejects.toBeInstanceOf(ConfigError);
  await lost.close();
});

describe('a job that was sealed with a key which is not here', () => {
  it('does not take the others out of the lists', async () => {
    const sealed = await startSealed(`job/${unique()}`);
    await listed(sealed);
    const jobs = await client.listJobs({ limit: 1000 });
    const page = await listJobPage(client.temporal, {});

    expect(jobs.length).toBeGreaterThan(1);
    expect(jobs.find((job) => job.workflowId === sealed)).toMatchObject({ name: null, unknownKey: 'theirs' });
    expect(page.jobs).toContainEqual(expect.objectContaining({ workflowId: sealed, unknownKey: 'theirs' }));
  });

  it('says which key and what to do', async () => {
    const job = await client.job(await startSealed(`job/${unique()}`));
    const status = await job.status();

    expect(status).toMatchObject({ state: 'pending', unknownKey: 'theirs' });
    expect(status.summary).toContain('sealed with key "theirs", which is not in the key file: add that key\'s line');
    expect((await job.flight()).life.events.length).toBeGreaterThan(0);
  });
});

describe('jobs whose metrics are incomplete', () => {
  const mark = (id: string) => client.store.write(incompleteKeys.job(id), '');
  const marked = async (filter: { since?: Date; limit?: number } = {}) =>
    (await listIncompleteMetrics(client.temporal, client.store, { limit: 1000, ...filter })).map(
      ({ workflowId }) => workflowId,
    );

  it('are those with a mark in the store that Temporal still knows, whatever their ids and however many marks', async () => {
    const ids = [`job/${unique()}`, `a team's/${unique()}`, `job/${unique()}`];
    for (const id of [...ids, `job/${unique()}`]) await listed(await start(id));
    const sealed = await startSealed(`job/${unique()}`);
    await listed(sealed);
    const other = await start(`other/${unique()}`, REPLAY_METRICS_WORKFLOW);
    for (const id of [...ids, sealed, other]) await mark(id);
    // More than Temporal is asked for at once.
    for (let at = 0; at < 60; at++) await mark(`job/gone-${String(at)}`);

    expect((await marked()).sort()).toEqual([...ids, sealed].sort());
    expect((await marked({ since: new Date(Date.now() - 3_600_000) })).length).toBe(4);
    expect(await marked({ since: new Date(Date.now() + 3_600_000) })).toEqual([]);
  });
});

describe('a job that waits', () => {
  it('says that no worker can go on with it, and why', async () => {
    const job = await client.job(await startSealed(`job/${unique()}`, world.taskQueue));
    const told = async () => (await job.status()).hindrances?.[0] ?? '';

    await until('the failed workflow task', async () => (await told()).includes('No worker can go on with it'));
    expect(await told()).toContain('binary/encrypted');
    await world.client.workflow.getHandle(job.workflowId).terminate();
  });

  it('says that no worker serves its queue', async () => {
    const job = await client.job(await start(`job/${unique()}`));

    expect((await job.status()).summary).toContain('No worker serves the task queue "nobody"');
  });

  it('says that no engine serves its pool', async () => {
    const job = await world.start({ pool: 'tpyo' });
    const { workflowId } = job.handle;
    const status = async () => await (await client.job(workflowId)).status();

    expect((await status()).hindrances).toEqual([expect.stringContaining('No engine serves pool "tpyo"')]);
    await job.handle.terminate();
  });

  it('for an engine that is served says nothing of the kind', async () => {
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const provisionMachine = () => ended.then(() => Promise.reject(new Error('over')));
    const job = await world.start({}, { provisionMachine });
    const { workflowId } = job.handle;

    expect((await (await client.job(workflowId)).status()).hindrances).toBeUndefined();
    await job.handle.terminate();
    end();
  });
});
