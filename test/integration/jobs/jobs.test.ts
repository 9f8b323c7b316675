import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { JobExistsError, JobInvalidError, type CiJobResult } from '../../../src/client.js';
import { findTool } from '../../../src/dev/tools.js';
import { docker, TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';
import { until } from '../../support/processes.js';
import { stepOutput } from '../../support/trace-text.js';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

afterAll(() => stack.close());

afterEach(async () => {
  await until('an engine without leftovers', () => stack.leftovers().length === 0, 20_000);
});

interface Ran {
  result: CiJobResult;
  trace: string;
  bytes: Buffer;
  workflowId: string;
}

async function run(job: object, id?: string): Promise<Ran> {
  const handle = await stack.client.startJob({ image: TEST_IMAGE, ...job }, id === undefined ? {} : { id });
  const chunks: Buffer[] = [];
  for await (const chunk of handle.trace()) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return { result: await handle.result(), trace: bytes.toString('utf8'), bytes, workflowId: handle.workflowId };
}

describe('a job', () => {
  it('succeeds, and its trace says so last', async () => {
    const { result, trace } = await run({ script: ['echo hello', 'echo world >&2'] });

    expect(result).toMatchObject({ state: 'success', exitCode: 0, failureReason: null });
    expect(stepOutput(trace, 'step_script')).toBe('hello\nworld\n');
    expect(trace.trimEnd()).toMatch(/Job succeeded\x1b\[0;m$/);
  });

  it('fails with the exit code of the first command that fails', async () => {
    const { result, trace } = await run({ before_script: ['echo before'], script: ['(exit 7)', 'echo never'] });

    expect(result).toMatchObject({ state: 'failed', exitCode: 7, failureReason: 'script_failure' });
    expect(stepOutput(trace, 'step_script')).toBe('before\n');
  });

  it('runs after_script in the same container, and tells it how the script ended', async () => {
    const { result, trace } = await run({
      script: ['echo left >/tmp/left', 'exit 1'],
      after_script: ['cat /tmp/left', 'echo "status $CI_JOB_STATUS"', 'exit 9'],
    });

    expect(result).toMatchObject({ state: 'failed', exitCode: 1 });
    expect(stepOutput(trace, 'after_script')).toBe('left\nstatus failed\n');
    expect(trace).toContain('WARNING: after_script failed');
  });

  it('ends at its time limit, and still runs after_script', async () => {
    const { result, trace } = await run({
      script: ['echo begun', 'sleep 60'],
      after_script: ['echo "$CI_JOB_STATUS"'],
      timeout: '2s',
    });

    expect(result).toMatchObject({ state: 'failed', failureReason: 'job_execution_timeout' });
    expect(stepOutput(trace, 'after_script')).toBe('timedout\n');
    expect(trace).toContain('ERROR: Job failed: execution took longer than 2s seconds');
  });

  it('is canceled: the script gets SIGTERM, after_script runs', async () => {
    const handle = await stack.client.startJob({
      image: TEST_IMAGE,
      script: ['trap "echo got SIGTERM; exit 0" TERM; echo ready; while :; do sleep 0.1; done'],
      after_script: ['echo "after $CI_JOB_STATUS"'],
    });
    const chunks: Buffer[] = [];
    let canceled = false;
    for await (const chunk of handle.trace()) {
      chunks.push(chunk);
      if (!canceled && Buffer.concat(chunks).includes('\nready\n')) {
        canceled = true;
        await handle.cancel('a test');
      }
    }
    const trace = Buffer.concat(chunks).toString('utf8');

    expect((await handle.result()).state).toBe('canceled');
    expect(stepOutput(trace, 'step_script')).toContain('got SIGTERM');
    expect(stepOutput(trace, 'after_script')).toBe('after canceled\n');
    const description = await stack.client.temporal.workflow.getHandle(handle.workflowId).describe();
    await until(
      'the closed workflow',
      async () =>
        (await stack.client.temporal.workflow.getHandle(handle.workflowId).describe()).status.name !== 'RUNNING',
    );
    expect(['RUNNING', 'CANCELLED']).toContain(description.status.name);
  });

  it('is not run twice under one id', async () => {
    const id = `twice-${randomBytes(4).toString('hex')}`;
    await run({ script: ['echo once'] }, id);

    await expect(stack.client.startJob({ image: TEST_IMAGE, script: ['echo twice'] }, { id })).rejects.toBeInstanceOf(
      JobExistsError,
    );
  });

  it('is refused with all its problems before anything is started', async () => {
    const refused = stack.client.startJob({ imag: 'x', script: [], artifacts: { whn: 'always' } });

    await expect(refused).rejects.toBeInstanceOf(JobInvalidError);
    await expect(refused).rejects.toMatchObject({
      problems: expect.arrayContaining([
        expect.objectContaining({ path: 'imag', message: expect.stringContaining('"image"') }),
        expect.objectContaining({ path: 'artifacts.whn', message: expect.stringContaining('"when"') }),
        expect.objectContaining({ path: 'script' }),
      ]),
    });
  });

  it('starts from plain JSON of the Temporal CLI, which is refused when it is no job', async () => {
    const start = (id: string, job: object) =>
      execFileSync(findTool('temporal', '.holdfast'), [
        'workflow',
        'start',
        '--address',
        stack.temporalAddress,
        '--type',
        'ciJob',
        '--task-queue',
        'holdfast',
        '--workflow-id',
        `job/${id}`,
        '--input',
        JSON.stringify({ version: 1, job }),
      ]);
    const good = `plain-${randomBytes(4).toString('hex')}`;
    const bad = `bad-${randomBytes(4).toString('hex')}`;
    start(good, { image: TEST_IMAGE, script: ['echo plain'] });
    start(bad, { scrip: ['echo'] });

    expect((await (await stack.client.job(`job/${good}`)).result()).state).toBe('success');
    const refused = await (await stack.client.job(`job/${bad}`)).result();
    expect(refused.state).toBe('failed');
    expect(refused.failureMessage).toMatch(/scrip: unknown key; did you mean "script"/);
  });

  it('prints byte for byte what the container printed: binary, long lines, no last newline', async () => {
    const script = `head -c 100000 /dev/zero | od -An -v -tx1 | awk '{printf "%s", $0}'; printf 'a\\377\\000b\\r\\n'; printf 'no newline'`;
    const { bytes } = await run({ script: [script] });
    const output = stepOutput(bytes.toString('latin1'), 'step_script');

    expect(output).toHaveLength(100_000 * 3 + 'a_0b\r\n'.length + 'no newline'.length);
    expect(output.endsWith('a\xff\x00b\r\nno newline')).toBe(true);
  });

  it('keeps 50,000 lines in order', async () => {
    const { bytes } = await run({ script: ['seq 1 50000'] });

    const lines = stepOutput(bytes.toString('utf8'), 'step_script').trimEnd().split('\n').map(Number);
    expect(lines).toEqual(Array.from({ length: 50_000 }, (_, index) => index + 1));
  });

  it('keeps head and tail of a trace that is too long, and says what is missing', async () => {
    const { bytes, trace } = await run({ script: ['seq 1 1000000'] });

    expect(bytes.length).toBeLessThan(4 * 1024 * 1024 + 70 * 1024);
    expect(trace).toMatch(/exceeded limit of 4194304 bytes\. \d+ bytes were left out/);
    expect(trace).toContain('\n1000000\n');
    expect(trace.trimEnd()).toMatch(/Job succeeded/);
  });

  it('masks secrets in the trace, and shows them neither to docker inspect nor in the database of Temporal', async () => {
    const secret = `s3cr3t${randomBytes(8).toString('hex')}`;
    const id = `secret-${randomBytes(4).toString('hex')}`;
    const handle = await stack.client.startJob(
      {
        image: TEST_IMAGE,
        variables: { TOKEN: { value: secret, masked: true } },
        script: ['echo "token $TOKEN."', 'sleep 3'],
      },
      { id },
    );
    await until('the build container', () => docker('ps', '-q', '--filter', `label=holdfast.job=job/${id}`).length > 0);
    const inspected = docker(
      'inspect',
      ...docker('ps', '-aq', '--filter', `label=holdfast.engine=${stack.engine}`),
    ).join('\n');
    const chunks: Buffer[] = [];
    for await (const chunk of handle.trace()) chunks.push(chunk);
    await handle.result();

    expect(stepOutput(Buffer.concat(chunks).toString(), 'step_script')).toBe('token [MASKED].\n');
    expect(inspected).not.toContain(secret);
    for (const file of ['temporal.db', 'temporal.db-wal']) {
      const path = join(stack.directory, file);
      if (existsSync(path)) expect(readFileSync(path).includes(secret)).toBe(false);
    }
    expect(readFileSync(join(stack.directory, 'worker.log')).includes(secret)).toBe(false);
  });

  it('has file variables as files, and expands the others', async () => {
    const { trace } = await run({
      variables: {
        NAME: 'world',
        GREETING: 'hello $NAME',
        RAW: { value: '$NAME', expand: false },
        CONF: { value: "it's\nhere", file: true },
      },
      script: ['echo "$GREETING $RAW"', 'cat "$CONF"; echo; echo "$CONF"'],
    });

    expect(stepOutput(trace, 'step_script')).toMatch(/^hello world \$NAME\nit's\nhere\n\/builds\/job\.tmp\/CONF\n$/);
  });

  it('reaches its services by their aliases once they listen', async () => {
    const { result, trace } = await run({
      services: [
        {
          name: TEST_IMAGE,
          alias: 'web',
          entrypoint: ['sh', '-c'],
          command: ['sleep 1; mkdir /w; echo "from the service $WHO" >/w/index.html; httpd -f -p 8000 -h /w'],
          variables: { WHO: 'itself' },
        },
      ],
      script: ['wget -q -O - http://web:8000/index.html'],
    });

    expect(result.state).toBe('success');
    expect(stepOutput(trace, 'step_script')).toBe('from the service itself\n');
  });

  it('keeps artifacts and gives a cache to the next job', async () => {
    const cache = { key: `k-${randomBytes(3).toString('hex')}`, paths: ['deps/'] };
    const first = await run({
      cache,
      artifacts: { paths: ['out/', '*.txt'], exclude: ['out/*.tmp'] },
      script: [
        'mkdir -p deps out/sub',
        'echo cached >deps/a',
        'echo one >out/sub/1',
        'echo no >out/x.tmp',
        'echo two >two.txt',
        '[ ! -e deps/b ]',
      ],
    });
    const second = await run({ cache, script: ['cat deps/a'] });
    const status = await (await stack.client.job(first.workflowId)).status();

    expect(first.result.state).toBe('success');
    expect(stepOutput(second.trace, 'step_script')).toBe('cached\n');
    expect(status.artifacts).toMatchObject([{ name: 'artifacts.zip', type: 'archive' }]);
    const zip = await stack.client.store.read(status.artifacts[0]?.key ?? '');
    writeFileSync(join(stack.directory, 'a.zip'), zip ?? '');
    const names = execFileSync('python3', ['-m', 'zipfile', '-l', join(stack.directory, 'a.zip')], {
      encoding: 'utf8',
    });
    expect(names).toContain('out/sub/1');
    expect(names).toContain('two.txt');
    expect(names).not.toContain('x.tmp');
  });

  it('fetches its sources at a branch or a commit', async () => {
    const repo = join(stack.shared, 'repo');
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', repo, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
        encoding: 'utf8',
      }).trim();
    mkdirSync(repo, { recursive: true });
    git('init', '-q', '-b', 'main');
    writeFileSync(join(repo, 'file'), 'first');
    git('add', '.');
    git('commit', '-qm', 'first');
    const sha = git('rev-parse', 'HEAD');
    writeFileSync(join(repo, 'file'), 'second');
    git('commit', '-qam', 'second');

    const branch = await run({ source: { repo: 'file:///shared/repo', ref: 'main' }, script: ['cat file; echo'] });
    const commit = await run({
      source: { repo: 'file:///shared/repo', ref: 'main', sha, depth: 1 },
      script: ['cat file; echo'],
    });

    expect(stepOutput(branch.trace, 'step_script')).toBe('second\n');
    expect(stepOutput(commit.trace, 'step_script')).toBe('first\n');
  });

  it('fails as misconfigured, with the reason, when its image does not exist', async () => {
    const { result, trace } = await run({
      image: { name: 'holdfast/no-such-image:1', pull_policy: 'never' },
      script: ['true'],
    });

    expect(result).toMatchObject({ state: 'failed', failureReason: 'runner_configuration_error' });
    expect(trace).toContain('no-such-image');
  });

  it('does not wait for the time limit of its after_script when somebody has removed its sandbox', async () => {
    const mark = join(stack.shared, randomBytes(6).toString('hex'));
    const inside = `/shared/${basename(mark)}`;
    const ran = run({
      script: [`touch ${inside}.begun`, `until [ -e ${inside}.removed ]; do sleep 0.1; done`],
      after_script: ['echo never'],
    });
    await until('a script that runs', () => existsSync(`${mark}.begun`));
    docker('rm', '--force', ...docker('ps', '-q', '--filter', `name=-${stack.engine}-.*-slot-`));
    writeFileSync(`${mark}.removed`, '');
    const { result, trace } = await ran;

    expect(result).toMatchObject({ state: 'failed', failureReason: 'runner_system_failure' });
    expect(trace).toContain('the network of its machine is gone');
    expect(trace).not.toContain('\nnever');
  });

  it('is told from a crash when it runs out of memory', async () => {
    const small = await startStack({ engine: { memory: '32m', memorySwap: '32m' }, prometheus: false });
    try {
      const killed = await small.client.startJob({ image: TEST_IMAGE, script: ['head -c 200000000 /dev/zero | tail'] });
      const noticed = await small.client.startJob({ image: TEST_IMAGE, script: ['tail /dev/zero || exit 3'] });
      const failed = await small.client.startJob({ image: TEST_IMAGE, script: ['exit 137'] });

      for (const [handle, exitCode] of [
        [killed, 137],
        [noticed, 3],
      ] as const) {
        const result = await handle.result();
        expect(result).toMatchObject({ state: 'failed', failureReason: 'script_failure', exitCode });
        expect(result.failureMessage).toContain('out of memory');
      }
      expect((await failed.result()).failureMessage).toBe('exit code 137');
    } finally {
      await small.close();
    }
  });
});

describe('the command line', () => {
  const holdfast = (...args: string[]) => {
    try {
      const stdout = execFileSync(process.execPath, [resolve('bin/holdfast'), ...args, '--config', stack.configFile], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return { code: 0, stdout, stderr: '' };
    } catch (error) {
      const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
      return { code: status, stdout, stderr };
    }
  };

  it('exits as the job did, and shows what it knows', () => {
    const file = join(stack.directory, 'job.yml');
    writeFileSync(file, `image: ${TEST_IMAGE}\nscript:\n  - echo "$WHO"\n  - exit 5\n`);
    const id = `cli-${randomBytes(4).toString('hex')}`;

    const ran = holdfast('run', file, '--id', id, '--var', 'WHO=me');
    const shown = JSON.parse(holdfast('show', id, '--json').stdout) as Record<string, unknown>;

    expect(ran.code).toBe(5);
    expect(stepOutput(ran.stdout, 'step_script')).toBe('me\n');
    expect(shown).toMatchObject({
      id,
      workflowId: `job/${id}`,
      state: 'failed',
      failureReason: 'script_failure',
      exitCode: 5,
      engine: stack.engine,
    });
    expect(holdfast('trace', id).stdout).toBe(ran.stdout);
  });

  it('names every problem of a bad job file with its line, and exits with 64', () => {
    const file = join(stack.directory, 'bad.yml');
    writeFileSync(file, `image: x\nscrpt:\n  - echo\nretry: 7\n`);

    const ran = holdfast('run', file);

    expect(ran.code).toBe(64);
    expect(ran.stderr).toContain('line 2: scrpt: unknown key; did you mean "script"?');
    expect(ran.stderr).toContain('line 4: retry');
  });
});
