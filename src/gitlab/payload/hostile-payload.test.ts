import { posix } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../../test/support/any-text.js';
import { ENTRY, example, read } from '../../../test/support/gitlab/example-payload.js';
import { planJob } from '../../job/plan.js';
import { readJobPayload, specOfPayload } from './index.js';
import { isSafeProjectPath } from './refusals.js';

describe('a hostile payload', () => {
  it.each([
    ['no object', 'text'],
    ['nothing', null],
    ['a list', [1, 2]],
    ['no id', { ...example(), id: undefined }],
    ['an id that is no number', { ...example(), id: '1; rm -rf /' }],
    ['steps of the wrong type', { ...example(), steps: { script: 'x' } }],
    ['a step name that is a path', { ...example(), steps: [{ name: '../x', script: ['true'] }] }],
    ['ten megabytes in a value', { ...example(), variables: [{ key: 'A', value: 'x'.repeat(10_000_000) }] }],
    ['null bytes in a script', { ...example(), steps: [{ name: 'script', script: ['a\0b'] }] }],
    ['a commit that is an option', { ...example(), git_info: { repo_url: 'https://x', sha: '--upload-pack=evil' } }],
    [
      'a million variables',
      { ...example(), variables: Array.from({ length: 100_000 }, () => ({ key: 'A', value: '' })) },
    ],
  ])('is refused with its problems: %s', (_name, raw) => {
    const result = readJobPayload(raw);

    expect(result.ok).toBe(false);
    expect(!result.ok && result.problems.length).toBeGreaterThan(0);
  });

  it('has no text with half a surrogate pair, which no file, address or key can hold', () => {
    const { cache, variables, steps } = read({
      cache: [{ key: 'a\ud800', paths: ['\udc00x'] }],
      variables: [{ key: 'A', value: 'x\ud83d' }],
      steps: [{ name: 'script', script: ['echo \ud83d\ude00 \ude00'] }],
    });

    expect(cache[0]).toMatchObject({ key: 'a\ufffd', paths: ['\ufffdx'] });
    expect(variables[0]).toMatchObject({ value: 'x\ufffd' });
    expect(steps[0]!.script).toEqual(['echo \ud83d\ude00 \ufffd']);
  });

  it.each([
    { cache: [{ key: 'a\0', paths: ['x'] }] },
    { cache: [{ key: 'a', paths: ['x\0'] }] },
    { job_info: { name: '\0' } },
    { image: { name: 'a\0' } },
    { image: { name: 'a', executor_opts: { docker: { user: '\0' } } } },
  ])('holds no null byte in what is a name: %j', (changes) => {
    const result = readJobPayload({ ...example(), ...changes });

    expect(result.ok && specOfPayload(result.payload, ENTRY)).not.toHaveProperty('spec');
  });

  it('still tells whom to answer', () => {
    expect(readJobPayload({ ...example(), steps: 7 })).toMatchObject({
      ok: false,
      jobId: 4711,
      token: 'glcbt-64_EXAMPLEjobtoken',
    });
    expect(readJobPayload({ id: 4711, token: 7 })).toMatchObject({ ok: false, jobId: 4711 });
  });

  it('of any depth is read without harm', () => {
    let deep: unknown = 'x';
    for (let level = 0; level < 20_000; level++) deep = [deep];

    expect(readJobPayload({ ...example(), unknown_field: deep }).ok).toBe(true);
    expect(readJobPayload({ ...example(), variables: deep }).ok).toBe(false);
  });

  it('never throws and never gives a job that cannot be planned', () => {
    const keys = Object.keys(example());
    // `length`: what a list is measured by.
    const anyKey = fc.oneof(fc.constantFrom('length', ...keys), fc.string());
    const anyValue = fc.anything({ key: anyKey, maxDepth: 4, withNullPrototype: true });
    fc.assert(
      fc.property(fc.constantFrom(...keys), anyValue, (key, value) => {
        const result = readJobPayload({ ...example(), [key]: value });
        if (!result.ok) return;
        const mapped = specOfPayload(result.payload, ENTRY);
        if ('refused' in mapped) return;
        const plan = planJob(mapped.spec, {
          workflowId: 'gitlab/x/1',
          jobId: '1',
          engine: 'e',
          machine: 'm',
          defaultImage: 'i',
          buildsDirectory: '/builds',
          version: '1',
          revision: 'r',
        });
        expect(plan.projectDirectory.startsWith('/builds/')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['../up', '..', 'a/../b', 'a/..', './a', 'a/.', '/a', 'a/', 'a//b', ''],
    ['a/.git', '.git/a', 'a/.GIT'],
    ['-a/b', 'a/-b', 'a\\b', 'a:b', 'a\nb', 'a\0b', 'a\u009bb', 'a\ud800b', 'a'.repeat(1001)],
  ])('has no project path that is no directory, or one with a meaning', (...paths) => {
    expect(paths.filter(isSafeProjectPath)).toEqual([]);
  });

  it('has no project path that leaves the builds directory', () => {
    const text = fc.oneof(
      fc.string({ unit: anyCharacter }),
      fc.array(fc.constantFrom('..', '.', 'a', '/', '', '~', ' ', '\n', '$x', '-', '.git', '\\', '\0'), {
        maxLength: 6,
      }),
    );
    fc.assert(
      fc.property(text, (given) => {
        const path = typeof given === 'string' ? given : given.join('/');
        if (!isSafeProjectPath(path)) return;
        expect(posix.resolve('/builds', path)).toBe(`/builds/${path}`);
        expect(posix.relative('/builds', `/builds/${path}`)).toBe(path);
        expect(path.toWellFormed()).toBe(path);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a project path', () => {
  it.each([
    ['a/b', 'acme/tools/widget', 'a.b/c-d', 'x/y.z+1'],
    ['acme/.dotfiles', 'acme/.github', '.acme/.a', 'a/b.', 'a/b..c', 'a/..b', 'a/.gitlab', 'a/b.git', 'ä/ö', '~a/_b'],
  ])('may be whatever GitLab lets it be', (...paths) => {
    expect(paths.filter((path) => !isSafeProjectPath(path))).toEqual([]);
  });
});
