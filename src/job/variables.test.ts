import { describe, expect, it } from 'vitest';
import type { JobSpec, Variable } from '../contracts/job-spec.js';
import { jobFileToSpec } from './to-spec.js';
import { ExpansionError } from './expand.js';
import { parseJobObject } from './job-file.js';
import { planJob } from './plan.js';
import { resolveVariables, secretsOf } from './variables.js';

const FACTS = {
  workflowId: 'gitlab/gitlab.example/1',
  jobId: '1',
  engine: 'local',
  machine: 'm',
  image: 'busybox',
  buildsDirectory: '/builds',
  projectDirectory: '/builds/a/b',
  temporaryDirectory: '/builds/a/b.tmp',
  version: '1.2.3',
  revision: 'abc1234',
};

function variable(key: string, value: string, flags: Partial<Variable> = {}): Variable {
  return { key, value, public: true, masked: false, raw: false, file: false, ...flags };
}

function specWith(variables: Variable[], changes: Partial<JobSpec> = {}): JobSpec {
  const parsed = parseJobObject({ image: 'busybox', script: ['true'] });
  if (!parsed.ok) throw new Error('the test is wrong');
  return { ...jobFileToSpec(parsed.job), project: 'a/b', variables, ...changes };
}

function resolve(...variables: Variable[]) {
  return resolveVariables(specWith(variables), FACTS);
}

function plan(variables: Variable[], changes: Partial<JobSpec> = {}) {
  return planJob(specWith(variables, changes), { ...FACTS, defaultImage: 'busybox' });
}

describe('variables', () => {
  it('have the predefined ones beneath them, and the last of two with one key', () => {
    const { lookup } = resolve(variable('A', '1'), variable('A', '2'), variable('CI_JOB_IMAGE', 'mine'));

    expect(lookup('A')).toBe('2');
    expect(lookup('CI_JOB_IMAGE')).toBe('mine');
    expect(lookup('CI_PROJECT_DIR')).toBe('/builds/a/b');
    expect(lookup('CI_BUILDS_DIR')).toBe('/builds');
    expect(lookup('CI_SERVER')).toBe('yes');
    expect(lookup('CI_JOB_STATUS')).toBe('running');
    expect(lookup('CI_JOB_TIMEOUT')).toBe('3600');
    expect(lookup('RUNNER_TEMP_PROJECT_DIR')).toBe('/builds/a/b.tmp');
  });

  it('cannot replace what the runner knows better', () => {
    const { lookup } = resolve(variable('CI_DISPOSABLE_ENVIRONMENT', 'no'), variable('CI_RUNNER_VERSION', '0'));

    expect(lookup('CI_DISPOSABLE_ENVIRONMENT')).toBe('true');
    expect(lookup('CI_RUNNER_VERSION')).toBe('1.2.3');
  });

  it('tell the build of the runner, and the network of a job that has its own', () => {
    expect(resolve().lookup('CI_RUNNER_REVISION')).toBe('abc1234');
    expect(resolve().lookup('CI_BUILD_NETWORK_NAME')).toBeUndefined();
    expect(resolveVariables(specWith([]), { ...FACTS, network: 'n' }).lookup('CI_BUILD_NETWORK_NAME')).toBe('n');
  });

  it('insert one another once, as they were written', () => {
    const { lookup } = resolve(variable('A', '$B'), variable('B', '$C'), variable('C', 'end'));

    expect(lookup('A')).toBe('$C');
    expect(lookup('B')).toBe('end');
  });

  it('are not expanded when raw, and can be inserted all the same', () => {
    const { lookup } = resolve(variable('RAW', 'a$B', { raw: true }), variable('USES', '<$RAW>'));

    expect(lookup('RAW')).toBe('a$B');
    expect(lookup('USES')).toBe('<a$B>');
  });

  it('of type file are a path, in others too; their content is expanded unless raw', () => {
    const { lookup, content, files } = resolve(
      variable('NAME', 'n'),
      variable('F', 'key of $NAME', { file: true }),
      variable('USES', '--key=$F'),
    );

    expect(lookup('F')).toBe('/builds/a/b.tmp/F');
    expect(lookup('USES')).toBe('--key=/builds/a/b.tmp/F');
    expect(content('F')).toBe('key of n');
    expect(files).toEqual([{ path: '/builds/a/b.tmp/F', content: 'key of n' }]);
  });

  it('of type file with a name that is a path are no file', () => {
    expect(resolve(variable('../../etc/passwd', 'x', { file: true })).files).toEqual([]);
  });

  it('that name one another a million times are refused, one by one and all together', () => {
    const large = variable('LARGE', 'x'.repeat(1_000_000));

    expect(() => resolve(large, variable('A', '$LARGE'.repeat(50_000)))).toThrow(ExpansionError);
    const many = Array.from({ length: 30 }, (_, index) => variable(`A${String(index)}`, '$LARGE'));
    expect(() => resolve(large, ...many)).toThrow(ExpansionError);
    expect(resolve(large, variable('A', '$LARGE')).lookup('A')).toHaveLength(1_000_000);
  });

  it('that are masked are secret as written, as expanded, and as content of a file', () => {
    const spec = specWith([
      variable('USER', 'u'),
      variable('A', 'secret-of-$USER', { masked: true }),
      variable('F', 'in a file', { masked: true, file: true }),
    ]);
    const masks = secretsOf(spec, resolveVariables(spec, FACTS));

    expect(masks).toEqual(expect.arrayContaining(['secret-of-$USER', 'secret-of-u', 'in a file']));
    expect(masks).not.toContain('/builds/a/b.tmp/F');
  });

  it('are those of registries too, from the payload and from DOCKER_AUTH_CONFIG after its expansion', () => {
    const auths = '{"auths":{"r.example":{"username":"u","password":"$PART-of-registry"}}}';
    const spec = specWith([variable('PART', 'secret'), variable('DOCKER_AUTH_CONFIG', auths)], {
      credentials: [{ url: 's.example', username: 'u', password: 'p' }],
    });

    expect(secretsOf(spec, resolveVariables(spec, FACTS))).toEqual(['p', 'secret-of-registry']);
  });
});

describe('the place of the sources', () => {
  const source: NonNullable<JobSpec['source']> = {
    repo: 'https://gitlab.example/a/b.git',
    refspecs: [],
    depth: 0,
    strategy: 'fetch',
    submodules: 'none',
    attempts: 1,
    preScript: [],
    postScript: [],
  };

  it('is below the builds directory', () => {
    expect(plan([], { source }).projectDirectory).toBe('/builds/a/b');
  });

  it('has another name for the strategy "empty", in CI_PROJECT_DIR too', () => {
    const planned = plan([variable('GIT_STRATEGY', 'empty'), variable('WHERE', '$CI_PROJECT_DIR')], { source });

    expect(planned.projectDirectory).toBe('/builds/a/b-empty');
    expect(planned.steps.find(({ name }) => name === 'step_script')?.script).toContain(
      'export WHERE=/builds/a/b-empty',
    );
  });

  it('is where GIT_CLONE_PATH says', () => {
    expect(plan([variable('GIT_CLONE_PATH', '$CI_BUILDS_DIR/go/src/x')], { source }).projectDirectory).toBe(
      '/builds/go/src/x',
    );
  });

  it.each(['/etc', '$CI_BUILDS_DIR/../etc', '/builds', '/builds/..', 'relative', '/buildsx/y'])(
    'is not %s: the job is told so',
    (path) => {
      const planned = plan([variable('GIT_CLONE_PATH', path)], { source });

      expect(planned.problem).toMatch(/GIT_CLONE_PATH .* does not lie below \/builds/);
      expect(planned.projectDirectory).toBe('/builds/a/b');
    },
  );
});

describe('a plan', () => {
  it('without a step for sources knows whether there are any that are skipped', () => {
    const source = { repo: 'https://gitlab.example/a/b.git', refspecs: [], depth: 0, strategy: 'fetch' as const };
    const whole = { ...source, submodules: 'none' as const, attempts: 1, preScript: [], postScript: [] };

    expect(plan([variable('GIT_STRATEGY', 'none')], { source: whole }).skipsSources).toBe(true);
    expect(plan([], { source: whole })).not.toHaveProperty('skipsSources');
    expect(plan([variable('GIT_STRATEGY', 'none')])).not.toHaveProperty('skipsSources');
  });

  it('names in CI_JOB_IMAGE the image that runs', () => {
    const variables = [variable('REG', '$HOST/group'), variable('HOST', 'reg.example'), variable('TAG', '1')];
    const planned = plan([...variables, variable('SEEN', '<$CI_JOB_IMAGE>')], { image: { name: '$REG/app:$TAG' } });

    expect(planned.image.name).toBe('reg.example/group/app:1');
    expect(planned.steps[0]?.script).toContain('export CI_JOB_IMAGE=reg.example/group/app:1');
    expect(planned.steps[0]?.script).toContain("export SEEN='<reg.example/group/app:1>'");
  });

  it('expands the names and aliases of services, several in one', () => {
    const service = { name: 'postgres:$V', aliases: ['$NAMES'], command: ['-c', '$V'], variables: [] };
    const [planned] = plan([variable('V', '16'), variable('NAMES', 'db, sql')], { services: [service] }).services;

    expect(planned).toMatchObject({ name: 'postgres:16', aliases: ['db', 'sql'], command: ['-c', '$V'] });
  });

  it('gives a service the public variables, the predefined and its own, and no secret', () => {
    const service = {
      name: 's',
      aliases: [],
      variables: [variable('OWN', '$A-$POSTGRES_DB'), variable('RAW', '$A', { raw: true })],
    };
    const [planned] = plan(
      [
        variable('A', 'a'),
        variable('POSTGRES_DB', 'test'),
        variable('TOKEN', 'hidden', { public: false }),
        variable('MASKED', 'hidden', { masked: true }),
        variable('FILE', 'hidden', { file: true }),
      ],
      { services: [service] },
    ).services;

    expect(planned?.environment).toMatchObject({ A: 'a', OWN: 'a-test', RAW: '$A', CI_SERVER: 'yes' });
    expect(JSON.stringify(planned)).not.toContain('hidden');
  });

  it('reads DOCKER_AUTH_CONFIG from a file variable too', () => {
    expect(plan([variable('DOCKER_AUTH_CONFIG', '{"auths":{}}', { file: true })]).dockerAuthConfig).toBe(
      '{"auths":{}}',
    );
  });

  it('says that CI_DEBUG_SERVICES shows nothing, to jobs with services that set it', () => {
    const service = { name: 'postgres', aliases: [], variables: [] };
    const warningsOf = (value: string, services: (typeof service)[]) =>
      plan([variable('CI_DEBUG_SERVICES', value)], { services }).warnings;

    expect(warningsOf('true', [service])).toEqual([expect.stringContaining('CI_DEBUG_SERVICES shows no logs')]);
    expect(warningsOf('false', [service])).toEqual([]);
    expect(warningsOf('true', [])).toEqual([]);
  });

  it('holds a failed machine for as long as the variable comes to, whatever it refers to', () => {
    const held = [variable('HOLD', '30m'), variable('HOLDFAST_HOLD_ON_FAILURE', '$HOLD')];
    const wrong = plan([variable('HOLD', '30 mn'), ...held.slice(1)]);

    expect(plan(held)).toMatchObject({ holdOnFailureMs: 1_800_000, warnings: [] });
    expect(wrong).toMatchObject({ holdOnFailureMs: 0, warnings: [expect.stringContaining('"30 mn" is no time')] });
  });

  it.each([
    ['90s', 90_000, undefined],
    ['1m30s', 90_000, undefined],
    ['0', null, undefined],
    ['soon', null, /no duration/],
    ['-5s', null, /no duration/],
    ['30h', null, /longer than the job's timeout/],
  ])('has RUNNER_SCRIPT_TIMEOUT %s as %s', (text, expected, warning) => {
    const planned = plan([variable('RUNNER_SCRIPT_TIMEOUT', text)]);

    expect(planned.scriptTimeoutMs).toBe(expected);
    expect(planned.warnings.length).toBe(warning === undefined ? 0 : 1);
    if (warning !== undefined) expect(planned.warnings[0]).toMatch(warning);
  });
});
