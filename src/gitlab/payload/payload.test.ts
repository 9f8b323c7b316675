import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ENTRY, example, read } from '../../../test/support/gitlab/example-payload.js';
import { planJob } from '../../job/plan.js';
import { readJobPayload, specOfPayload, type GitlabEntryFacts } from './index.js';

function specOf(changes: Record<string, unknown> = {}) {
  const mapped = specOfPayload(read(changes), ENTRY);
  if ('refused' in mapped) throw new Error(mapped.refused.message);
  return mapped;
}

function refusalOf(changes: Record<string, unknown>) {
  const mapped = specOfPayload(read(changes), ENTRY);
  return 'refused' in mapped ? mapped.refused : undefined;
}

describe("GitLab's payload", () => {
  it('becomes a job in our own words', () => {
    const { spec, coordinator } = specOf();

    expect(spec).toMatchObject({
      name: 'unit tests',
      project: 'acme/tools/widget',
      pool: 'default',
      image: { name: 'node:$POSTGRES_DB', entrypoint: [''], pullPolicy: ['if-not-present', 'always'], user: '1000' },
      services: [{ name: 'postgres:16', aliases: ['db', 'sql'], command: ['postgres', '-c', 'fsync=off'] }],
      source: {
        ref: 'main',
        depth: 20,
        strategy: 'fetch',
        submodules: 'none',
        preScript: ['git config --global http.postBuffer 1048576'],
      },
      afterScript: ['cat npm-debug.log || true'],
      timeoutMs: 3_600_000,
      artifacts: [
        { name: 'coverage', type: 'archive', format: 'zip', when: 'on_success', expireIn: '1 week' },
        { name: 'junit.xml', type: 'junit', format: 'gzip', when: 'always' },
      ],
      caches: [{ key: 'npm-main', fallbackKeys: ['npm-x'], policy: 'pull-push', when: 'on_success' }],
      dependencies: [{ id: 4700, token: 'glcbt-64_OTHER', filename: 'artifacts.zip' }],
      credentials: [{ url: 'registry.gitlab.example', username: 'gitlab-ci-token' }],
      tokenPrefixes: ['acme-'],
      outputLimitBytes: 4096,
    });
    expect(spec.steps.map(({ name }) => name)).toEqual(['script', 'release']);
    expect(coordinator).toEqual({
      kind: 'gitlab',
      entry: 'main',
      url: 'https://gitlab.example',
      jobId: 4711,
      token: 'glcbt-64_EXAMPLEjobtoken',
      failureReasons: ['script_failure'],
      traceSections: true,
    });
  });

  it('makes a plan that masks its token, expands names, and expands the lines of the release step', () => {
    const { spec } = specOf();
    const plan = planJob(spec, {
      workflowId: 'gitlab/gitlab.example/4711',
      jobId: '4711',
      engine: 'local',
      machine: 'm',
      defaultImage: 'debian',
      buildsDirectory: '/builds',
      version: '1',
      revision: 'r',
    });

    expect(plan.image.name).toBe('node:widget_test');
    expect(plan.masks).toEqual(expect.arrayContaining(['glcbt-64_EXAMPLEjobtoken', 'glcbt-64_OTHER']));
    expect(plan.projectDirectory).toBe('/builds/acme/tools/widget');
    expect(plan.steps.map(({ name, role }) => [name, role])).toEqual([
      ['get_sources', 'helper'],
      ['step_script', 'build'],
      ['step_release', 'build'],
      ['after_script', 'build'],
    ]);
    expect(plan.steps.find(({ name }) => name === 'step_release')?.script).toContain(
      'release-cli create --name "widget_test"',
    );
  });

  it('needs little: what is absent, null or empty is nothing', () => {
    const { spec } = (() => {
      const result = readJobPayload({
        id: 1,
        token: 't',
        job_info: { name: 'j', project_full_path: 'a/b' },
        steps: [{ name: 'script', script: ['true'] }],
        image: null,
        services: null,
        artifacts: null,
        variables: null,
        git_info: { repo_url: '' },
      });
      if (!result.ok) throw new Error(JSON.stringify(result.problems));
      const mapped = specOfPayload(result.payload, ENTRY);
      if ('refused' in mapped) throw new Error(mapped.refused.message);
      return mapped;
    })();

    expect(spec).toMatchObject({ services: [], artifacts: [], variables: [], timeoutMs: 7_200_000 });
    expect(spec).not.toHaveProperty('image');
    expect(spec).not.toHaveProperty('source');
  });

  it.each([
    [{ runner_info: { timeout: 0 } }, 7_200_000],
    [{ runner_info: { timeout: -5 } }, 7_200_000],
    [{ runner_info: null }, 7_200_000],
    [{ runner_info: { timeout: 90 } }, 90_000],
  ])('with %j has %d ms', (changes, expected) => {
    expect(specOf(changes).spec.timeoutMs).toBe(expected);
  });

  it('with an empty cache key has one of job and branch', () => {
    expect(specOf({ cache: [{ key: '', paths: ['x'] }] }).spec.caches[0]?.key).toBe('unit tests/main');
  });

  it('clones unless fetching is allowed', () => {
    expect(specOf({ allow_git_fetch: false }).spec.source?.strategy).toBe('clone');
  });
});

describe('what the operator adds to each job', () => {
  const withEntry = (entry: Partial<GitlabEntryFacts>, changes: Record<string, unknown> = {}) => {
    const mapped = specOfPayload(read(changes), { ...ENTRY, ...entry });
    if ('refused' in mapped) throw new Error(mapped.refused.message);
    return mapped.spec;
  };

  it('are variables, beneath those of the job', () => {
    const own = { key: 'POSTGRES_DB', value: 'mine', public: false, masked: false, raw: false, file: false };
    const { variables } = withEntry({ environment: [own] });

    expect(variables[0]).toEqual(own);
    expect(variables.findLast(({ key }) => key === 'POSTGRES_DB')?.value).toBe('widget_test');
  });

  it('are lines around its own, in the same shell, and around its sources', () => {
    const spec = withEntry({
      scripts: { preBuild: 'echo pre', postBuild: 'echo post', preGetSources: 'echo a', postGetSources: 'echo z' },
    });

    expect(spec.steps[0]?.script).toEqual(['echo pre', 'npm ci', 'npm test', 'echo post']);
    expect(spec.afterScript).toEqual(['cat npm-debug.log || true']);
    expect(spec.source?.preScript).toEqual(['echo a', 'git config --global http.postBuffer 1048576']);
    expect(spec.source?.postScript).toEqual(['echo z']);
  });

  it('is another address of the repositories, with the credentials kept', () => {
    expect(withEntry({ cloneUrl: 'http://internal:8080/git/' }).source?.repo).toBe(
      'http://gitlab-ci-token:glcbt-64_EXAMPLEjobtoken@internal:8080/git/acme/tools/widget.git',
    );
  });
});

it.each([
  ['CI_DEBUG_TRACE', 'true', true],
  ['CI_DEBUG_SERVICES', '1', true],
  ['CI_DEBUG_TRACE', 'false', undefined],
])('a job with %s=%s says so to GitLab: %s', (key, value, expected) => {
  expect(specOf({ variables: [{ key, value }] }).coordinator.debugTrace).toBe(expected);
});

describe('what is not supported', () => {
  it.each([
    [{ run: '[{"name":"x"}]' }, 'runner_unsupported', /CI steps/],
    [{ secrets: { DB: { vault: {} } } }, 'runner_unsupported', /secrets manager \(DB\)/],
    [{ inputs: [{ key: 'x', value: { type: 'string', content: 'y' } }] }, 'runner_unsupported', /inputs/],
    [{ image: { name: 'x', executor_opts: { podman: {} } } }, 'runner_system_failure', /"podman" at image/],
    [{ services: [{ name: 'x', executor_opts: { docker: { user: {} } } }] }, 'runner_system_failure', /services\.0/],
    [
      { image: { name: 'x', pull_policy: ['sometimes'] } },
      'runner_configuration_error',
      /"sometimes" at image is none of always/,
    ],
    [{ artifacts: [{ artifact_type: '../x', paths: ['a'] }] }, 'runner_unsupported', /not known here/],
    [{ job_info: { name: 'x', project_full_path: '../../etc' } }, 'runner_system_failure', /cannot be a directory/],
  ])('is refused with its reason: %j', (changes, reason, message) => {
    expect(refusalOf(changes)).toMatchObject({ reason, message: expect.stringMatching(message) });
  });

  it('stands in docs/gitlab.md, with the reason and the line', () => {
    const docs = readFileSync(new URL('../../../docs/gitlab.md', import.meta.url), 'utf8');
    const table = docs.slice(docs.indexOf('<!-- refusals: begin -->'), docs.indexOf('<!-- refusals: end -->'));
    const rows = table.split('\n').flatMap((line) => {
      const [, reason, words] = /\| `(\w+)`\s*\| (.+?)\s*\|$/.exec(line) ?? [];
      return reason === undefined || words === undefined ? [] : [{ reason, words: words.split('…') }];
    });
    const refusals = [
      { run: '[]' },
      { secrets: { DB: {} } },
      { inputs: [{ key: 'x' }] },
      { artifacts: [{ artifact_type: '../x', paths: ['a'] }] },
      { variables: Array.from({ length: 4 }, (_, i) => ({ key: `K${String(i)}`, value: 'x'.repeat(600_000) })) },
      { image: { name: 'x', executor_opts: { podman: {} } } },
      { image: { name: 'x', executor_opts: { docker: { user: {} } } } },
      { job_info: { name: 'x', project_full_path: '..' } },
      { image: { name: 'x', pull_policy: ['sometimes'] } },
    ].map((changes) => refusalOf(changes));

    const documented = (refusal: ReturnType<typeof refusalOf>) =>
      rows.filter(
        ({ reason, words }) => reason === refusal?.reason && words.every((part) => refusal.message.includes(part)),
      );
    expect(refusals.map((refusal) => documented(refusal).length)).toEqual(refusals.map(() => 1));
    // The last is about payloads that cannot even be read; the room of the worker says it.
    expect(rows).toHaveLength(refusals.length + 1);
  });

  it('is a docker option that nobody knows, with the exit code of gitlab-runner', () => {
    expect(refusalOf({ image: { name: 'x', executor_opts: { docker: { usr: 'me' } } } })).toMatchObject({
      reason: 'runner_system_failure',
      exitCode: 3,
    });
    expect(refusalOf({ image: { name: 'x', executor_opts: { kubernetes: { anything: [1] } } } })).toBeUndefined();
  });

  it('names what is too large', () => {
    const variables = Array.from({ length: 4 }, (_, i) => ({ key: `K${String(i)}`, value: 'x'.repeat(600_000) }));

    expect(refusalOf({ variables })).toMatchObject({
      reason: 'runner_unsupported',
      message: expect.stringContaining('larger than'),
    });
  });

  it('is nothing that is merely empty', () => {
    expect(refusalOf({ run: null, secrets: null, inputs: null, hooks: null })).toBeUndefined();
  });
});

describe('payloads of other GitLab versions', () => {
  const specOf = (changes: Record<string, unknown>) => {
    const made = specOfPayload(read(changes), ENTRY);
    if ('refused' in made) throw new Error(made.refused.message);
    return made.spec;
  };

  it('may hold no more than an id and a token', () => {
    const result = readJobPayload({ id: 1, token: 'glcbt-x' });
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const made = specOfPayload(result.payload, ENTRY);

    expect(made).toMatchObject({
      spec: { name: 'job 1', project: 'project-unknown', steps: [], timeoutMs: 7_200_000 },
    });
  });

  it('may say null wherever Go has nothing to say', () => {
    const nothing = Object.fromEntries(
      Object.keys(example())
        .filter((key) => key !== 'id' && key !== 'token')
        .map((key) => [key, null]),
    );

    expect(specOf(nothing)).toMatchObject({ services: [], artifacts: [], caches: [], dependencies: [] });
  });

  it('may name a "when" that nobody knows: those artifacts and caches are left out, and the trace says so', () => {
    const spec = specOf({
      artifacts: [
        { name: 'later', paths: ['a'], when: 'manual' },
        { name: 'kept', paths: ['b'], when: 'always' },
      ],
      cache: [
        { key: 'restored', paths: ['c'], when: 'on_tuesdays' },
        { key: 'dropped', paths: ['d'], when: 'on_tuesdays', policy: 'push' },
      ],
      steps: [{ name: 'script', script: ['true'], when: 'manual', allow_failure: 'perhaps' }],
    });

    expect(spec.artifacts.map(({ name }) => name)).toEqual(['kept']);
    expect(spec.caches).toMatchObject([{ key: 'restored', policy: 'pull' }]);
    expect(spec.warnings).toHaveLength(3);
    expect(spec.warnings).toContain('artifacts later: when "manual" is not known here; it is left out');
  });

  it.each([
    [0, 7_200_000],
    [-1, 7_200_000],
    [null, 7_200_000],
    [0.5, 1000],
    [1e300, 366 * 86_400_000],
  ])('may have any time limit (%s)', (timeout, ms) => {
    expect(specOf({ runner_info: { timeout } }).timeoutMs).toBe(ms);
  });

  it.each([
    { token: 'two\nlines' },
    { token: 'with space' },
    { dependencies: [{ id: 1, token: 'x\r\nX-Evil: 1', artifacts_file: { filename: 'a' } }] },
    {
      steps: [
        { name: 'script', script: ['a'] },
        { name: 'script', script: ['b'] },
      ],
    },
  ])('must hold tokens that are tokens, and each step once: not %j', (changes) => {
    expect(readJobPayload({ ...example(), ...changes }).ok).toBe(false);
  });
});
