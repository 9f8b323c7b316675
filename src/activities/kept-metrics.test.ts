import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectMetricsInput, metricsDocument } from '../../test/support/metrics-fixtures.js';
import type { CollectMetricsInput } from '../contracts/activities.js';
import type { MetricsDocument } from '../metrics/document.js';
import { createDirectoryStore } from '../store/directory-store.js';
import { incompleteKeys, jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { findEarlyMetrics, keepEarlyMetrics, keepMetrics, markUploaded, readMetrics } from './kept-metrics.js';
import { createOwnership } from './ownership.js';

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-kept-'));
  store = createDirectoryStore({ directory });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const input = collectMetricsInput({ toCoordinator: true });

function documentUntil(endMs: number, changes: Partial<MetricsDocument> = {}): MetricsDocument {
  return metricsDocument({
    window: { startMs: 0, endMs },
    queries: { cpu: 'c' },
    series: [{ query: 'cpu', labels: {}, values: [[endMs / 1000, '1']] }],
    flags: [],
    collectedAtMs: endMs,
    ...changes,
  });
}

const NOTHING: Partial<MetricsDocument> = { outcome: 'no_samples', series: [] };

async function keepEarly(document: MetricsDocument, changes: Partial<CollectMetricsInput> = {}) {
  return await keepEarlyMetrics(store, { ...input, ...changes }, document, createOwnership());
}

async function spooled(key: string | undefined): Promise<unknown> {
  return JSON.parse(gunzipSync((await store.read(key ?? '')) ?? '').toString('utf8'));
}

describe('an early collection', () => {
  it('spools what GitLab gets and says of the document that it is not complete', async () => {
    const { artifact, state } = await keepEarly(documentUntil(58_000));

    expect(state).toBe('stored');
    expect(artifact).toMatchObject({ type: 'metrics_referee', format: 'gzip', name: 'metrics_referee.json' });
    expect(artifact?.bytes).toBe((await store.read(artifact?.key ?? ''))?.length);
    expect(await spooled(artifact?.key)).toEqual({ cpu: [[58, '1']] });
    expect(await readMetrics(store, 'job/1')).toMatchObject({ complete: false, delivery: 'stored' });
  });

  it('that is delivered again finds what was spooled, each machine its own', async () => {
    const first = await keepEarly(documentUntil(58_000));

    expect(await findEarlyMetrics(store, input)).toEqual(first);
    expect(await findEarlyMetrics(store, { ...input, attempt: 2 })).toBeUndefined();
  });

  it('that found nothing keeps nothing', async () => {
    expect((await keepEarly(documentUntil(58_000, NOTHING))).artifact).toBeUndefined();
    expect(await readMetrics(store, 'job/1')).toBeUndefined();
    expect(await findEarlyMetrics(store, input)).toBeUndefined();
  });

  it('of a worker that was overtaken writes nothing', async () => {
    let nowMs = 0;
    const owner = createOwnership(() => nowMs);
    nowMs = 60_000;

    await expect(keepEarlyMetrics(store, input, documentUntil(58_000), owner)).rejects.toMatchObject({
      type: 'OVERSLEPT',
    });
    expect(await readMetrics(store, 'job/1')).toBeUndefined();
  });
});

describe('the last collection', () => {
  it('completes the document of what was sent, and leaves the sent bytes alone', async () => {
    const { artifact } = await keepEarly(documentUntil(58_000));
    await markUploaded(store, 'job/1');
    const sent = await store.read(artifact!.key);
    const result = await keepMetrics(store, input, documentUntil(62_500));

    expect(result).toMatchObject({ state: 'uploaded', outcome: 'uploaded' });
    expect(result.artifact).toBeUndefined();
    const document = await readMetrics(store, 'job/1');
    expect(document).toMatchObject({ delivery: 'uploaded', uploadedUntilMs: 58_000, window: { endMs: 62_500 } });
    expect(document?.complete).toBeUndefined();
    expect(await store.read(artifact!.key)).toEqual(sent);
  });

  it('of what was not sent is stored', async () => {
    await keepEarly(documentUntil(58_000));

    expect(await keepMetrics(store, input, documentUntil(62_500))).toMatchObject({ state: 'stored' });
    expect(await readMetrics(store, 'job/1')).toMatchObject({ delivery: 'stored', window: { endMs: 62_500 } });
  });

  it('that found nothing (any more) leaves what there was, and says so', async () => {
    await keepEarly(documentUntil(58_000));
    await markUploaded(store, 'job/1');
    const result = await keepMetrics(store, input, documentUntil(62_500, NOTHING));

    expect(result).toMatchObject({ state: 'uploaded', reason: expect.stringMatching(/^without the last scrape: /) });
    expect(await readMetrics(store, 'job/1')).toMatchObject({ complete: false, window: { endMs: 58_000 } });
  });

  it('of another machine is not taken for what was sent', async () => {
    await keepEarly(documentUntil(58_000));
    await markUploaded(store, 'job/1');
    const other = { ...input, attempt: 2, machine: 'hf-2' };
    const result = await keepMetrics(store, other, documentUntil(90_000, { machine: 'hf-2' }));

    expect(result.state).toBe('stored');
    expect(await readMetrics(store, 'job/1')).toMatchObject({ machine: 'hf-2', delivery: 'stored' });
  });

  it('of a job without a coordinator is where it belongs', async () => {
    const result = await keepMetrics(store, { ...input, toCoordinator: false }, documentUntil(62_500));

    expect(result).toMatchObject({ state: 'uploaded', outcome: 'uploaded' });
    expect(await readMetrics(store, 'job/1')).toMatchObject({ delivery: 'uploaded' });
  });

  it('without any samples has failed', async () => {
    expect(await keepMetrics(store, input, documentUntil(62_500, NOTHING))).toMatchObject({
      state: 'failed',
      outcome: 'no_samples',
    });
  });
});

describe('the mark of metrics that are not complete', () => {
  const owner = createOwnership();
  const marked = async () => (await store.list(incompleteKeys.all())).map(incompleteKeys.jobOf);

  it('is there from the first collection on, with what a replay needs, and goes with the last', async () => {
    await keepEarlyMetrics(store, { ...input, early: true }, documentUntil(50_000), owner);
    const request = await store.read(jobKeys.metricsRequest('job/1'));

    expect(await marked()).toEqual(['job/1']);
    expect(JSON.parse(request?.toString() ?? '')).toEqual(input);
    await keepMetrics(store, input, documentUntil(60_000));
    expect(await marked()).toEqual([]);
  });

  it('goes also when the last collection finds nothing more', async () => {
    await keepEarlyMetrics(store, input, documentUntil(50_000), owner);
    await keepMetrics(store, input, documentUntil(60_000, NOTHING));

    expect(await marked()).toEqual([]);
  });

  it.each<[NonNullable<MetricsDocument['missing']>[number], string]>([
    ['answers', 'heavy'],
    ['last_scrape', 'the scrape that covers its end'],
  ])('stays while something is missing (%s), which the reason names', async (missing, words) => {
    const skipped = [{ query: 'heavy', reason: 'answered 503' }];
    const incomplete = documentUntil(60_000, { complete: false, missing: [missing], skipped });

    const { reason } = await keepMetrics(store, { ...input, toCoordinator: false }, incomplete);

    expect(reason).toBe(`1 series; still missing: ${words} (a replay may bring it)`);
    expect(await marked()).toEqual(['job/1']);
  });

  it('is not set by a first collection that found nothing: nothing was sent', async () => {
    await keepEarlyMetrics(store, input, documentUntil(50_000, NOTHING), owner);

    expect(await marked()).toEqual([]);
  });
});
