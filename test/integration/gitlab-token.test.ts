import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCoordinator, type TestCoordinator } from '../support/coordinator/coordinator.js';
import { until } from '../support/processes.js';
import { startStack, type Stack } from '../support/stack.js';

let coordinator: TestCoordinator;
let stack: Stack;
let directory: string;
let path: string;
let first: string;

beforeAll(async () => {
  // Long enough for a slow machine to start, short enough to wait for its last quarter.
  coordinator = await startCoordinator({ tokenLifeMs: 30_000, longPollMs: 2_000 });
  directory = mkdtempSync(join(tmpdir(), 'holdfast-token-'));
  path = join(directory, 'gitlab.token');
  first = coordinator.runnerToken;
  writeFileSync(path, `${first}\n`, { mode: 0o600 });
  stack = await startStack({ top: { gitlab: [{ name: 'main', url: coordinator.url, tokenFile: path }] } });
});

afterAll(async () => {
  await stack.close();
  await coordinator.close();
  rmSync(directory, { recursive: true });
});

describe('a worker whose runner token expires', () => {
  it('renews it in time, keeps the new one in the file, and takes jobs with it', async () => {
    const before = coordinator.addJob({ script: ['echo with the first token'] });
    await coordinator.untilOver(before.id, 90_000);
    await until('another token', () => coordinator.runnerToken !== first, 60_000);
    await until('it in the file', () => readFileSync(path, 'utf8') === `${coordinator.runnerToken}\n`);
    const after = coordinator.addJob({ script: ['echo with the second token'] });
    await coordinator.untilOver(after.id, 90_000);

    expect([before.status, after.status]).toEqual(['success', 'success']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['gitlab.token']);
    expect(coordinator.violations).toEqual([]);
    const log = readFileSync(join(stack.directory, 'worker.log'), 'utf8');
    expect(log).toContain('The runner token is renewed');
    expect(log).not.toContain(coordinator.runnerToken);
  });
});
