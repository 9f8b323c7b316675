import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../../src/contracts/names.js';
import { findTool } from '../../../src/dev/tools.js';
import { holdfast, type Ended } from '../../support/command-line.js';
import { numberedJob, tally } from '../../support/faults/numbered-job.js';
import { freePort, until } from '../../support/processes.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

/** What other people's scripts and dashboards see: exit codes, JSON, endpoints, what Temporal's own tools show. */

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());
afterEach(async () => {
  await until('an engine without leftovers', () => stack.leftovers().length === 0, 20_000);
});

const unique = (name: string) => `${name}-${randomBytes(4).toString('hex')}`;

async function cli(...args: string[]): Promise<Ended> {
  return await holdfast([...args, '--config', stack.configFile]);
}

async function run(job: object, ...args: string[]): Promise<Ended> {
  const file = join(stack.directory, `${unique('job')}.yml`);
  writeFileSync(file, stringify({ image: TEST_IMAGE, ...job }));
  return await cli('run', file, ...args);
}

async function temporal(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(findTool('temporal', '.holdfast'), [
    ...args,
    '--address',
    stack.temporalAddress,
  ]);
  return stdout;
}

/** What the payloads in JSON of the Temporal CLI hold. */
function dataOf(json: string): string {
  return [...json.matchAll(/"data": *"([^"]*)"/g)].map(([, data]) => Buffer.from(data ?? '', 'base64')).join('\n');
}

/** The configuration with something else in it. */
function configWith(change: object): string {
  const file = join(stack.directory, `${unique('config')}.yaml`);
  const given = parse(readFileSync(stack.configFile, 'utf8')) as object;
  writeFileSync(file, stringify({ ...given, ...change }), { mode: 0o600 });
  return file;
}

describe('the exit code of run', () => {
  it('is the job’s', async () => {
    const [success, script, misconfigured, timeout] = await Promise.all([
      run({ script: ['true'] }),
      run({ script: ['exit 37'] }),
      run({ image: { name: 'holdfast/no-such-image:1', pull_policy: 'never' }, script: ['true'] }),
      run({ script: ['sleep 60'], timeout: '1s' }),
    ]);

    expect([success.code, script.code, misconfigured.code, timeout.code]).toEqual([0, 37, 70, 124]);
  });

  it('is 130 for a job that was canceled', async () => {
    const id = unique('canceled');
    const ran = run({ script: ['sleep 60'] }, '--id', id);
    const job = await stack.client.job(`job/${id}`);
    await until('the running job', async () => (await job.status().catch(() => undefined))?.state === 'running');
    const canceled = await cli('cancel', id, '--reason', 'a test');

    expect(canceled.code).toBe(0);
    expect((await ran).code).toBe(130);
  });

  it('is 64 for wrong arguments and a bad job file, with what is wrong', async () => {
    const [option, file, job] = await Promise.all([
      cli('run', '--nonsense', 'x.yml'),
      cli('run', 'no-such-file.yml'),
      run({ scrip: ['true'] }),
    ]);

    expect([option.code, file.code, job.code]).toEqual([64, 64, 64]);
    expect(file.stderr).toContain('no-such-file.yml');
    expect(job.stderr).toContain('did you mean "script"');
  });

  it('is 69 when Temporal cannot be reached, with its address', async () => {
    const address = `127.0.0.1:${String(await freePort())}`;
    const file = join(stack.directory, 'unreachable.yml');
    writeFileSync(file, `image: ${TEST_IMAGE}\nscript: [echo]\n`);
    const ran = await holdfast(['run', file, '--config', configWith({ temporal: { address } })]);

    expect(ran.code).toBe(69);
    expect(ran.stderr).toContain(address);
  });
});

describe('JSON', () => {
  it('of show, jobs, metrics has every field that others rely on', async () => {
    const id = unique('fields');
    await run({ script: ['sleep 2'] }, '--id', id);
    const job = await stack.client.job(`job/${id}`);
    await until('its metrics', async () => (await job.status()).metrics !== 'pending');
    const shown = JSON.parse((await cli('show', id, '--json')).stdout) as Record<string, unknown>;
    const listed = JSON.parse((await cli('jobs', '--json')).stdout) as Record<string, unknown>[];
    const metrics = JSON.parse((await cli('metrics', id, '--json')).stdout) as Record<string, unknown>;
    const fields = [
      'id',
      'workflowId',
      'state',
      'failureReason',
      'exitCode',
      'metrics',
      'machine',
      'engine',
      'queuedAt',
      'startedAt',
      'finishedAt',
      'traceBytes',
    ];

    for (const field of fields) {
      expect(shown).toHaveProperty(field);
      expect(listed[0]).toHaveProperty(field);
    }
    expect(shown['steps']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'step_script', state: 'success', startedAt: expect.any(String), attempts: 1 }),
      ]),
    );
    expect(listed[0]).not.toHaveProperty('steps');
    expect(metrics['series']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ query: 'cpu', labels: expect.any(Object), values: expect.any(Array) }),
      ]),
    );
  });
});

describe('Temporal', () => {
  it('shows a job in words: search attributes, summaries, details', async () => {
    const id = unique('words');
    const handle = await stack.client.startJob(
      { image: TEST_IMAGE, script: [`until [ -e /shared/${id}.read ]; do sleep 0.1; done`] },
      { id },
    );
    await until('the running script', async () =>
      (await handle.status()).steps.some(({ name, state }) => name === 'step_script' && state === 'running'),
    );
    const details = await temporal(
      ...['workflow', 'metadata', '--workflow-id', `job/${id}`, '-o', 'json', '--codec-endpoint', stack.metricsUrl],
    );
    writeFileSync(join(stack.shared, `${id}.read`), '');
    await handle.result();
    const described = await temporal('workflow', 'describe', '--workflow-id', `job/${id}`, '-o', 'json');
    const history = await temporal('workflow', 'show', '--workflow-id', `job/${id}`, '-o', 'json');
    const attributes = Object.keys(SEARCH_ATTRIBUTES).filter((name) => !/FailureReason|Flags/.test(name));

    expect(dataOf(details) + details).toMatch(/Running on machine hf-\S+ of engine t-\w+\. Step step_script runs\./);
    for (const name of attributes) expect(described).toContain(name);
    expect(history).toContain('userMetadata');
  });

  it('reads payloads only through the codec endpoint, and keeps nothing of a job in clear', async () => {
    const id = unique('codec');
    const word = unique('word');
    const handle = await stack.client.startJob(
      { image: TEST_IMAGE, script: [`echo ${word}`], variables: { TOKEN: word } },
      { id },
    );
    await handle.result();
    const sealed = await temporal('workflow', 'show', '--workflow-id', `job/${id}`, '-o', 'json');
    const decoded = await temporal(
      ...['workflow', 'show', '--workflow-id', `job/${id}`, '-o', 'json', '--codec-endpoint', stack.metricsUrl],
    );

    expect(dataOf(sealed) + sealed).not.toContain(word);
    expect(dataOf(decoded)).toContain(word);
    for (const name of ['temporal.db', 'temporal.db-wal']) {
      const file = join(stack.directory, name);
      if (existsSync(file)) expect(readFileSync(file).includes(word)).toBe(false);
    }
  });
});

describe('the worker', () => {
  it('answers on its endpoints, with the machines that run', async () => {
    const get = async (path: string) => await fetch(`${stack.metricsUrl}${path}`);
    const handle = await stack.client.startJob({
      image: TEST_IMAGE,
      script: ['until [ -e /shared/seen ]; do sleep 0.1; done'],
    });
    let machine = '';
    await until('the machine in service discovery', async () => {
      machine = (await handle.status()).machine ?? 'none yet';
      return JSON.stringify(await (await get('/sd/machines')).json()).includes(machine);
    });
    const metrics = await (await get('/metrics')).text();
    const [health, ready] = [await get('/healthz'), await get('/readyz')];
    writeFileSync(join(stack.shared, 'seen'), '');
    await handle.result();

    expect([health.status, ready.status]).toEqual([200, 200]);
    for (const name of [
      `holdfast_machine_cpu_seconds_total{machine="${machine}"`,
      'holdfast_jobs{',
      'holdfast_jobs_total{',
      'holdfast_capacity{',
      'holdfast_machines{',
      'holdfast_version_info{',
      'holdfast_trace_bytes_total',
      'holdfast_trace_upload_lag_seconds',
      'holdfast_job_duration_seconds',
      'holdfast_job_queue_duration_seconds',
      'holdfast_job_stage_duration_seconds',
      'holdfast_metrics_collections_total',
      'process_cpu_seconds_total',
      'nodejs_eventloop_lag_seconds',
      'temporal_',
    ]) {
      expect(metrics).toContain(name);
    }
  });

  it.each([
    ['an address of another machine', () => '203.0.113.7:9252', 64 + 6, /this machine has no such address/],
    ['no address', () => 'nonsense', 64, /must be host:port/],
  ])('does not start on %s, and says why', async (_what, address, code, words) => {
    const file = configWith({ metricsServer: { listenAddress: address() }, web: { enabled: false } });
    const ended = await holdfast(['worker', '--config', file]);

    expect(ended.stderr).toMatch(words);
    expect(ended.stderr).toContain('metricsServer.listenAddress');
    expect(ended.code).toBe(code);
  });

  it('is killed in the middle of a script: the job succeeds, the script ran once, no line is lost or doubled', async () => {
    const job = numberedJob({ lines: 80 });
    const handle = await stack.client.startJob(job.definition, { id: job.id });
    const chunks: Buffer[] = [];
    let killed = false;
    for await (const chunk of handle.trace()) {
      chunks.push(chunk);
      if (killed || !Buffer.concat(chunks).includes(`line 10 of ${job.id}\n`)) continue;
      killed = true;
      await stack.worker().stop('SIGKILL');
      await stack.startWorker();
    }
    const result = await handle.result();

    expect(result).toMatchObject({ state: 'success', exitCode: 0 });
    expect(tally(job, Buffer.concat(chunks).toString('utf8'), stack.shared)).toEqual({
      runs: 1,
      afterRuns: 1,
      linesLost: 0,
      linesDoubled: 0,
      outOfOrder: 0,
    });
  });
});

describe('check', () => {
  it('says of every server that it is well, or which is not', async () => {
    const prometheusUrl = `http://127.0.0.1:${String(await freePort())}`;
    const [good, bad, invalid] = await Promise.all([
      cli('check', '--json'),
      holdfast(['check', '--json', '--config', configWith({ metrics: { prometheusUrl } })]),
      holdfast(['check', '--config', configWith({ enginez: [], metrics: { step: 'soon' } })]),
    ]);

    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({ ok: true });
    expect(bad.code).toBe(69);
    expect(JSON.parse(bad.stdout)).toMatchObject({ ok: false });
    expect(bad.stdout).toContain(prometheusUrl);
    expect(invalid.code).toBe(64);
    expect(invalid.stderr).toMatch(/enginez: unknown key; did you mean "engines"/);
    expect(invalid.stderr).toMatch(/metrics\.step: must be a time/);
  });
});

describe('the command', () => {
  it('works by a link from anywhere, through sh and through node', async () => {
    const link = join(stack.directory, 'holdfast-link');
    symlinkSync(resolve('bin/holdfast'), link);
    const cwd = stack.directory;
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const [bySh, byNode] = await Promise.all([
      promisify(execFile)(link, ['--version'], { cwd }),
      promisify(execFile)(process.execPath, [link, '--version'], { cwd }),
    ]);

    expect([bySh.stdout.trim(), byNode.stdout.trim()]).toEqual([version, version]);
  });
});

describe('a worker without its workflow bundle', () => {
  it('says that it was not built, and does not build it slowly', async () => {
    const copy = join(stack.directory, 'unbuilt');
    mkdirSync(copy);
    cpSync('dist', join(copy, 'dist'), { recursive: true });
    cpSync('package.json', join(copy, 'package.json'));
    symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
    rmSync(join(copy, 'dist/workflow-bundle.js'));
    const config = configWith({
      metricsServer: { listenAddress: `127.0.0.1:${String(await freePort())}` },
      web: { enabled: false },
    });
    const ended = await promisify(execFile)(process.execPath, [join(copy, 'dist/worker.js'), '--config', config]).catch(
      (error: unknown) => error as { code: number; stderr: string },
    );

    expect(ended).toMatchObject({
      code: 70,
      stderr: expect.stringMatching(/bundle .* is missing: run "npm run build"/),
    });
  });
});
