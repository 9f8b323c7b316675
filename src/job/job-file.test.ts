import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../test/support/any-text.js';
import { JobFileSchema, parseJobObject, type JobFile } from './job-file.js';
import { readJobFile } from './parse-yaml.js';

function jobOf(input: Record<string, unknown>): JobFile {
  const parsed = parseJobObject({ script: ['true'], ...input });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.job;
}

function problemsOf(input: Record<string, unknown>): string[] {
  const parsed = parseJobObject({ script: ['true'], ...input });
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path}: ${message}`);
}

function fromYaml(text: string): JobFile {
  const read = readJobFile(text);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return jobOf(read.value as Record<string, unknown>);
}

const KEYS = Object.keys(JobFileSchema.shape);
/** `length`: what a list is measured by. */
const anyKey = fc.oneof(fc.constantFrom('length', 'name', 'paths', 'when', 'value', ...KEYS), fc.string());

describe('a job', () => {
  it('never makes its reader throw, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything({ key: anyKey, withNullPrototype: true, withBigInt: true }), (input) => {
        parseJobObject(input);
        for (const key of KEYS)
          expect(parseJobObject({ image: 'i', script: ['a'], [key]: input })).toHaveProperty('ok');
      }),
    );
  });

  it('as YAML never makes its reader throw either', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => void readJobFile(`script: [true]\nimage: ${text}`)),
    );
  });

  it.each(['yes', 'Yes', 'on', 'TRUE'])('may say %s for true, as GitLab has it', (word) => {
    expect(jobOf({ interruptible: word, allow_failure: word }).interruptible).toBe(true);
  });
});

describe('retry', () => {
  it('as a number is for any failure', () => {
    expect(jobOf({ retry: 2 }).retry).toEqual({ max: 2, when: ['always'], exitCodes: [] });
  });

  it('takes every reason that GitLab has; those that do not come about here say nothing', () => {
    const when = ['runner_system_failure', 'stuck_or_timeout_failure', 'api_failure', 'stale_schedule'];
    expect(jobOf({ retry: { max: 1, when } }).retry.when).toEqual(['runner_system_failure', 'job_execution_timeout']);
    expect(jobOf({ retry: { max: 1, when: 'api_failure' } }).retry.when).toEqual([]);
  });

  it('for exit codes is for these only, unless it says more', () => {
    expect(jobOf({ retry: { max: 1, exit_codes: 137 } }).retry).toEqual({ max: 1, when: [], exitCodes: [137] });
    expect(jobOf({ retry: { max: 1, exit_codes: [1, 2], when: 'script_failure' } }).retry.when).toEqual([
      'script_failure',
    ]);
  });
});

describe('variables in YAML', () => {
  it('are the text that stands there', () => {
    const { variables, services } = fromYaml(`
script: [env]
variables:
  VERSION: 2.0
  ACCOUNT: 12345678901234567890
  MODE: 0755
  FULL: { value: 1.10, masked: true }
services:
  - name: redis
    variables: { PORT: 0016 }
`);
    const values = Object.fromEntries(Object.entries(variables).map(([name, { value }]) => [name, value]));
    expect(services[0]).toMatchObject({ variables: { PORT: { value: '0016' } } });
    expect(values).toEqual({ VERSION: '2.0', ACCOUNT: '12345678901234567890', MODE: '0755', FULL: '1.10' });
  });

  it('leave other numbers numbers', () => {
    expect(fromYaml('script: [make]\nretry: 2\nvariables: { A: 1 }').retry.max).toBe(2);
  });
});

describe('a problem is said in words that tell what to write', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['no script', { script: undefined }, 'script: must be a command or a list of commands'],
    [
      'a name that is none',
      { variables: { 'A-B': 'x' } },
      'variables.A-B: is not a variable name: letters, digits and _ only, no digit first',
    ],
    ['an empty variable', { variables: { C: null } }, 'variables.C: must be text, a number or a boolean'],
    ['an empty image', { image: null }, 'image: must be text or a mapping, but is empty'],
    ['a list for a mapping', { artifacts: ['a'] }, 'artifacts: must be a mapping, but is a list'],
    ['a number for a list', { tags: 3 }, 'tags: must be a list, but is a number'],
    [
      'a word that is none of those',
      { cache: { key: 'k', when: 'alway' } },
      'cache.0.when: must be "on_success", "on_failure" or "always"; did you mean "always"?',
    ],
    ['too many', { retry: 3 }, 'retry: must be at most 2'],
    [
      'a key of files',
      { cache: { key: { files: ['go.sum'] } } },
      'cache.0.key: must be text; "files" and "prefix" are not supported: a cache is restored by its name, with no look into the sources',
    ],
  ])('%s', (_, input, problem) => {
    expect(problemsOf(input)).toEqual([problem]);
  });
});
