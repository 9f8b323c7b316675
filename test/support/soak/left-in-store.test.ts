import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { leftInStore } from './left-in-store.js';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-left-'));
afterEach(() => rmSync(directory, { recursive: true }));

function put(path: string, atMs: number): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), '');
  utimesSync(join(directory, path), atMs / 1000, atMs / 1000);
}

it('finds in a store what is left over, but not what a killed worker was writing', async () => {
  const killedMs = 1_700_000_000_000;
  put('jobs/job%2Fa/trace', killedMs);
  put('jobs/.tmp/killed', killedMs - 200);
  put('jobs/.tmp/forgotten', killedMs + 60_000);
  put('spool/main/1', killedMs - 200);
  put('jobs/gitlab%2Fa/dependencies/1.zip', killedMs - 200);

  expect((await leftInStore(directory, [killedMs])).sort()).toEqual([
    'a job that GitLab has handed over is left in the store: spool/main/1',
    'an archive of another job is left in the store: jobs/gitlab%2Fa/dependencies/1.zip',
    'half a write is left in the store: jobs/.tmp/forgotten',
  ]);
});
