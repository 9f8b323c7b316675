import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stepScript } from './script.js';

const root = mkdtempSync(join(tmpdir(), 'holdfast-script-'));

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a step', () => {
  it("has a secret file for its own user's eyes, also where an earlier step has left one", () => {
    const path = join(root, 'KEY');
    writeFileSync(path, 'of an earlier step', { mode: 0o444 });
    const script = stepScript({
      projectDirectory: root,
      temporaryDirectory: root,
      variables: {
        exports: [],
        files: [
          { path, content: 'the key\n', secret: true },
          { path: join(root, 'OTHER'), content: 'for all' },
        ],
        lookup: () => undefined,
        content: () => undefined,
        predefined: [],
      },
      commands: ['umask'],
    });
    const run = spawnSync('sh', ['-c', 'umask 022; exec sh'], { input: script, encoding: 'utf8' });

    expect(run.stderr).toBe('');
    expect(run.stdout).toContain('0022');
    expect(readFileSync(path, 'utf8')).toBe('the key\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, 'OTHER')).mode & 0o777).toBe(0o644);
  });
});
