import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { stepScript } from '../shell/script.js';
import { parseEnvironmentFile } from './environment-file.js';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-environment-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** What a later step of the job has in its environment. */
function asTheShellReadsIt(text: string): Map<string, string> {
  writeFileSync(join(directory, 'gitlab_runner_env'), text);
  const script = stepScript({
    variables: { exports: [], files: [], lookup: () => undefined, content: () => undefined, predefined: [] },
    projectDirectory: directory,
    temporaryDirectory: directory,
    commands: ['env -0 >seen'],
  });
  execFileSync('sh', ['-c', script], { env: { PATH: process.env['PATH'] ?? '' }, stdio: 'ignore' });
  const seen = execFileSync('cat', [join(directory, 'seen')], { encoding: 'utf8' }).split('\0');
  return new Map(seen.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const));
}

describe('GITLAB_ENV', () => {
  it('is lines of names and values; a later one replaces an earlier one', () => {
    expect(Object.fromEntries(parseEnvironmentFile('A=1\nB=two words\nA=3\nEMPTY=\nURL=a=b=c\n'))).toEqual({
      A: '3',
      B: 'two words',
      EMPTY: '',
      URL: 'a=b=c',
    });
  });

  it.each(['', '\n\n', 'no value', '=x', '1A=x', 'A B=x', '-n=x', 'export A=x', ' A=x', 'A-B=x'])(
    'holds nothing in a line that is no such thing: %j',
    (text) => {
      expect(parseEnvironmentFile(text).size).toBe(0);
    },
  );

  it('needs no line end at its end, and keeps what a value has at its', () => {
    expect(parseEnvironmentFile('A=1 \r\nB= 2').get('A')).toBe('1 \r');
    expect(parseEnvironmentFile('A=1 \r\nB= 2').get('B')).toBe(' 2');
  });

  it('means the same to the worker and to the shell of a later step', () => {
    const value = fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", '$', '`', '\\', '=', '#', '%'), maxLength: 8 });
    const line = fc.tuple(fc.constantFrom('ALPHA', 'BETA', 'G_1'), value).map(([key, text]) => `${key}=${text}`);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
        const text = lines.join('\n');
        const shell = asTheShellReadsIt(text);
        for (const [key, expected] of parseEnvironmentFile(text)) expect(shell.get(key)).toBe(expected);
      }),
      { numRuns: 30 },
    );
  });

  it('takes no time that its lines could be made to cost', () => {
    expect(parseEnvironmentFile(`${'A'.repeat(1_000_000)}\n`.repeat(3)).size).toBe(0);
    expect(parseEnvironmentFile('K=v\n'.repeat(300_000)).size).toBe(1);
  });

  it('harms nothing by names that mean something to JavaScript', () => {
    expect([...parseEnvironmentFile('__proto__=x\nconstructor=y')]).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });
});
