import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCoordinator, type TestCoordinator } from '../../test/support/coordinator/coordinator.js';
import { until } from '../../test/support/processes.js';
import type { Logger } from '../telemetry/logger.js';
import { createGitlabClient, type GitlabClient } from './client.js';
import { createHttp } from './http.js';
import { runnerInfo } from './info.js';
import { createTokenFile, type TokenFile } from './token-file.js';
import { createTokenRenewal, renewalDueMs, type TokenRenewal } from './token-renewal.js';

const LIFE_MS = 3_600_000;
let coordinator: TestCoordinator;
let directory: string;
let path: string;
let old: string;
let lines: string[];
let clients: GitlabClient[];
let renewals: TokenRenewal[];

beforeEach(async () => {
  coordinator = await startCoordinator({ tokenLifeMs: LIFE_MS });
  directory = mkdtempSync(join(tmpdir(), 'holdfast-renewal-'));
  path = join(directory, 'token');
  old = coordinator.runnerToken;
  writeFileSync(path, old, { mode: 0o600 });
  lines = [];
  clients = [];
  renewals = [];
});

afterEach(async () => {
  await Promise.all(renewals.map((renewal) => renewal.stop()));
  await Promise.all(clients.map((client) => client.close()));
  await coordinator.close();
  rmSync(directory, { recursive: true });
});

/** So old that what is left of an hour is its last quarter. */
const makeDue = () => utimesSync(path, new Date(), new Date(Date.now() - 4 * LIFE_MS));
const inFile = () => readFileSync(path, 'utf8').trim();

/** Its pauses end at once, but for the last one, where it rests. */
function start(options: { file?: TokenFile | null; looks?: number } = {}): TokenRenewal & { pauses: number[] } {
  const client = createGitlabClient({
    http: createHttp({ url: coordinator.url }),
    token: inFile,
    systemId: 'r_0123456789ab',
    info: runnerInfo(),
  });
  const pauses: number[] = [];
  const log = (level: string) => (facts: object, text: string) =>
    void lines.push(`${level}: ${text} ${JSON.stringify(facts)}`);
  const renewal = createTokenRenewal({
    entry: 'main',
    client,
    file: options.file === null ? undefined : (options.file ?? createTokenFile(path)),
    clock: {
      now: () => performance.now(),
      random: () => 0,
      sleep: async (ms, signal) => {
        pauses.push(ms);
        signal?.throwIfAborted();
        if (pauses.length >= (options.looks ?? 1))
          await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))));
      },
    },
    wallMs: Date.now,
    logger: { info: log('info'), warn: log('warn'), error: log('error') } as unknown as Logger,
  });
  clients.push(client);
  renewals.push(renewal);
  renewal.start();
  return Object.assign(renewal, { pauses });
}

const rest = (renewal: { pauses: number[] }, looks = 1) => until('its rest', () => renewal.pauses.length >= looks);

describe('a runner token that expires', () => {
  it('is left alone for three quarters of its life', async () => {
    const renewal = start();
    await rest(renewal);

    expect(coordinator.runnerToken).toBe(old);
    // Looked at again every hour, and when it is due.
    expect(renewal.pauses[0]).toBeGreaterThan(0.7 * LIFE_MS);
    expect(renewal.pauses[0]).toBeLessThan(0.76 * LIFE_MS);
    expect(lines).toEqual([]);
  });

  it('is renewed in its last quarter, and the new one is in its file', async () => {
    makeDue();
    await rest(start());

    expect(coordinator.runnerToken).not.toBe(old);
    expect(inFile()).toBe(coordinator.runnerToken);
    expect(readdirSync(directory)).toEqual(['token']);
    expect(lines.join()).toContain('is renewed');
    expect(lines.join()).not.toContain(coordinator.runnerToken);
  });

  it('is renewed by one of several workers that share its file', async () => {
    makeDue();
    const workers = Array.from({ length: 4 }, () => start({ looks: 20, file: slow(createTokenFile(path)) }));
    await Promise.all(workers.map((worker) => rest(worker, 20)));

    expect(inFile()).toBe(coordinator.runnerToken);
    expect(readdirSync(directory)).toEqual(['token']);
    expect(lines.filter((line) => line.startsWith('error'))).toEqual([]);
    expect(lines.filter((line) => line.includes('is renewed'))).toHaveLength(1);
  });

  it('is not renewed when the new one could not be kept', async () => {
    makeDue();
    const file = createTokenFile(path);
    await rest(start({ file: { ...file, prepare: () => Promise.reject(new Error('EROFS: read-only')) } }));

    expect(coordinator.runnerToken).toBe(old);
    expect(lines.join()).toMatch(/error: .*cannot be replaced.*EROFS/);
  });

  it('is renewed at the next try when GitLab is away or busy', async () => {
    makeDue();
    coordinator.faults.add({ endpoint: 'reset', action: { kind: 'status', status: 500 } });
    coordinator.faults.add({ endpoint: 'reset', action: { kind: 'reset' } });
    await rest(start({ looks: 3 }), 3);

    expect(inFile()).toBe(coordinator.runnerToken);
    expect(inFile()).not.toBe(old);
    expect(lines.filter((line) => line.startsWith('warn: The runner token could not be renewed now'))).toHaveLength(2);
  });

  it('whose successor was lost on its way is said to be lost, with what to do', async () => {
    makeDue();
    coordinator.faults.add({ endpoint: 'reset', action: { kind: 'loseAnswer' } });
    await rest(start());

    expect(inFile()).toBe(old);
    expect(lines.join()).toMatch(/error: GitLab refuses the runner token.*reset the token/);
    expect(readdirSync(directory)).toEqual(['token']);
  });

  it('is kept as soon as the disk takes it, when it does not at once', async () => {
    makeDue();
    const file = createTokenFile(path);
    let failures = 2;
    const failing: TokenFile = {
      ...file,
      async prepare() {
        const replacement = await file.prepare();
        return {
          ...replacement,
          commit: (token) => (failures-- > 0 ? Promise.reject(new Error('EIO')) : replacement.commit(token)),
        };
      },
    };
    await rest(start({ file: failing, looks: 3 }), 3);

    expect(inFile()).toBe(coordinator.runnerToken);
    expect(lines.filter((line) => line.includes('cannot be written'))).toHaveLength(2);
  });

  it('is waited for by a worker that is told to stop while GitLab answers', async () => {
    makeDue();
    coordinator.faults.add({ endpoint: 'reset', action: { kind: 'slow', ms: 300 } });
    const renewal = start();
    await until('the request', () => coordinator.faults.unused().length === 0);
    await renewal.stop();

    expect(inFile()).toBe(coordinator.runnerToken);
    expect(inFile()).not.toBe(old);
  });

  it('that a worker had written when it died is found by the next one', async () => {
    makeDue();
    const reset = await clientOf().resetToken(old);
    if (reset.kind !== 'renewed') throw new Error(reset.reason);
    writeFileSync(`${path}.0123abcd.new`, `${reset.token}\n`);
    await rest(start());

    expect(inFile()).toBe(coordinator.runnerToken);
    expect(lines.join()).toContain('left by a worker that died');
  });

  it('that was renewed for a worker that died before the answer is said to be lost, once, until another is in its file', async () => {
    const lost = await clientOf().resetToken(old);
    // What that one had prepared. For ten minutes it might live.
    writeFileSync(`${path}.0123abcd.new`, ' ');
    await rest(start({ looks: 3 }), 3);
    expect(lines).toEqual([]);
    utimesSync(`${path}.0123abcd.new`, new Date(), new Date(Date.now() - 11 * 60_000));

    await rest(start({ looks: 3 }), 3);
    const said = () => lines.filter((line) => line.startsWith('error: GitLab refuses the runner token'));

    expect(lost.kind).toBe('renewed');
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain('put the new token into the tokenFile');
  });

  it('and is in no file of its own is spoken of in time', async () => {
    makeDue();
    await rest(start({ file: null }));

    expect(coordinator.runnerToken).toBe(old);
    expect(lines.join()).toMatch(/warn: the token expires within a day, and Holdfast cannot renew it/);
  });

  it('is due before its end, whatever is known of its beginning', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 0, max: 4e12 }), (sinceMs, endMs) => {
        const dueMs = renewalDueMs(sinceMs, endMs);
        expect(dueMs).toBeLessThanOrEqual(endMs);
        expect(dueMs).toBeGreaterThanOrEqual(Math.min(sinceMs, endMs));
      }),
    );
  });
});

/** Time for the others to be refused. */
function slow(file: TokenFile): TokenFile {
  return {
    ...file,
    async prepare() {
      const replacement = await file.prepare();
      return { ...replacement, commit: (token) => delay(200).then(() => replacement.commit(token)) };
    },
  };
}

function clientOf(): GitlabClient {
  const client = createGitlabClient({
    http: createHttp({ url: coordinator.url }),
    token: inFile,
    systemId: 'r_0123456789ab',
    info: runnerInfo(),
  });
  clients.push(client);
  return client;
}
