import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { storeScenarios } from './scenarios/store.js';

// A file system that fills up and turns read-only: only root may mount one.
const mayMount = process.getuid?.() === 0;
const mounted: string[] = [];

function store(): string {
  const [directory] = mounted;
  if (directory === undefined) throw new Error('The store was not mounted');
  return directory;
}

if (mayMount) {
  faultSuite('store', storeScenarios(store), {
    start: async () => {
      const directory = mkdtempSync(join(tmpdir(), 'holdfast-small-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0700', 'tmpfs', directory]);
      mounted.push(directory);
      return await startGround({ stack: { top: { store: { directory } }, prometheus: false } });
    },
  });
}

afterAll(() => {
  for (const directory of mounted) {
    execFileSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true });
  }
});
