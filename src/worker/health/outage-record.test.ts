import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDirectoryStore } from '../../store/directory-store.js';
import { CURRENT_FOR_MS, readOutages } from '../../store/engine-outages.js';
import { outageKeys } from '../../store/keys.js';
import type { Store } from '../../store/store.js';
import { silentLogger } from '../../telemetry/logger.js';
import { createOutageRecord, type OutageRecord, type ToldOutage } from './outage-record.js';

const TOLD: ToldOutage = {
  kind: 'provisioning',
  since: '2026-01-01T00:00:00.000Z',
  failures: 5,
  last: { code: 'ENGINE_FAULT', message: 'no space left on device', at: '2026-01-01T00:00:00.000Z' },
  nextProbeAt: '2026-01-01T00:00:02.000Z',
};

let directory: string;
let store: Store;
const records: OutageRecord[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-outages-'));
  store = createDirectoryStore({ directory });
});

afterEach(async () => {
  await Promise.all(records.splice(0).map((record) => record.close()));
  rmSync(directory, { recursive: true });
});

function open(worker: string, more: { store?: Store; confirmEveryMs?: number } = {}): OutageRecord {
  const engine = { name: 'big engine', pools: ['default', 'gpu'] };
  const record = createOutageRecord({ store, engine, worker, logger: silentLogger, ...more });
  records.push(record);
  return record;
}

const long = (ms: number) => () => Date.now() + ms;

describe('the record of an outage', () => {
  it('is read by whoever waits in a pool of the engine, until it is over', async () => {
    const record = open('1@host');
    record.tell(TOLD);

    await vi.waitFor(async () => expect(await readOutages(store, { pool: 'gpu' })).toHaveLength(1));
    expect(await readOutages(store, { engine: 'big engine' })).toMatchObject([{ ...TOLD, worker: '1@host' }]);
    expect(await readOutages(store, { pool: 'other' })).toEqual([]);
    expect(await readOutages(store, { engine: 'other' })).toEqual([]);

    record.clear();
    await vi.waitFor(async () => expect(await readOutages(store)).toEqual([]));
  });

  it('says the latest, however fast things change', async () => {
    const record = open('1@host');
    for (let failures = 1; failures <= 50; failures++) {
      record.tell({ ...TOLD, failures });
      if (failures % 7 === 0) record.clear();
    }

    await vi.waitFor(async () => expect(await readOutages(store)).toMatchObject([{ failures: 50 }]));
  });

  it('is gone when its worker has ended in order', async () => {
    const record = open('1@host');
    record.tell(TOLD);

    await record.close();
    record.tell(TOLD);
    await record.close();

    expect(await store.list('')).toEqual([]);
  });

  it('is not shown for long when its worker has died, and the next worker takes it away', async () => {
    const record = open('1@host');
    record.tell(TOLD);
    await vi.waitFor(async () => expect(await readOutages(store)).toHaveLength(1));

    expect(await readOutages(store, {}, long(CURRENT_FOR_MS - 10_000))).toHaveLength(1);
    expect(await readOutages(store, {}, long(CURRENT_FOR_MS + 1_000))).toEqual([]);
    // Said before the clock was set back by an hour.
    expect(await readOutages(store, {}, long(-3_600_000))).toEqual([]);

    open('1@host');
    await vi.waitFor(async () => expect(await store.list('')).toEqual([]));
  });

  it('of another worker that lives is left alone by one that starts; what is old or unreadable is taken away', async () => {
    open('1@host').tell(TOLD);
    await vi.waitFor(async () => expect(await readOutages(store)).toHaveLength(1));
    const [kept] = await readOutages(store);
    await store.write(outageKeys.worker('big engine', '2@host'), JSON.stringify({ ...kept, confirmedAt: TOLD.since }));
    await store.write(outageKeys.worker('big engine', '3@host'), '{"of": "another version"}');

    open('4@host');

    await vi.waitFor(async () => expect(await store.list('')).toEqual([outageKeys.worker('big engine', '1@host')]));
  });

  it('is confirmed again and again', async () => {
    open('1@host', { confirmEveryMs: 5 }).tell(TOLD);
    await vi.waitFor(async () => expect(await readOutages(store)).toHaveLength(1));
    const [first] = await readOutages(store);

    await vi.waitFor(async () =>
      expect((await readOutages(store))[0]?.confirmedAt.localeCompare(first?.confirmedAt ?? '')).toBe(1),
    );
  });

  it('does without a store that fails, and says it when the store is back', async () => {
    let away = true;
    const failing: Store = {
      ...store,
      write: (...given) => (away ? Promise.reject(new Error('away')) : store.write(...given)),
    };
    open('1@host', { store: failing, confirmEveryMs: 5 }).tell(TOLD);
    expect(await readOutages(store)).toEqual([]);

    away = false;

    await vi.waitFor(async () => expect(await readOutages(store)).toHaveLength(1));
  });
});
