import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { holdfast } from '../../support/command-line.js';
import { numberedJob, tally } from '../../support/faults/numbered-job.js';
import { startProcess, until, type Process } from '../../support/processes.js';
import { docker, ensureTestImage, TEST_IMAGE } from '../../support/docker.js';

const engine = `t-${randomBytes(4).toString('hex')}`;
const directory = mkdtempSync(join(tmpdir(), 'holdfast-dev-'));
const shared = join(directory, 'shared');
const state = join(directory, 'state');
const log = join(directory, 'dev.log');
const config = join(state, 'holdfast.yaml');
let dev: Process | undefined;

beforeAll(() => {
  ensureTestImage();
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  const given = { engines: [{ name: engine, defaultImage: TEST_IMAGE, volumes: [`${shared}:/shared`] }] };
  writeFileSync(join(directory, 'given.yaml'), stringify(given), { mode: 0o600 });
});

afterAll(async () => {
  await dev?.stop('SIGINT');
  const left = docker('ps', '-aq', '--filter', `label=holdfast.engine=${engine}`);
  if (left.length > 0) docker('rm', '-fv', ...left);
  rmSync(directory, { recursive: true, force: true });
});

const output = () => readFileSync(log, 'utf8');

async function startDev(): Promise<void> {
  writeFileSync(log, '');
  const args = ['dev', '--config', join(directory, 'given.yaml'), '--state', state, '--ports', 'auto'];
  dev = startProcess(process.execPath, [resolve('bin/holdfast'), ...args], log);
  const gone = dev.exited.then(() => {
    throw new Error(`holdfast dev has ended:\n${output()}`);
  });
  await Promise.race([until('a running stack', () => output().includes('Running. Ctrl-C'), 90_000), gone]);
}

async function cli(...args: string[]) {
  return await holdfast([...args, '--config', config]);
}

describe('holdfast dev', () => {
  it('prints its addresses, goes on after Ctrl-C and after kill -9 with the job that was running, which runs once', async () => {
    await startDev();
    for (const name of ['job pages', 'Temporal UI', 'Prometheus', 'worker metrics']) {
      expect(output()).toMatch(new RegExp(`^${name} +http://127\\.0\\.0\\.1:\\d+`, 'm'));
    }
    const job = numberedJob({ lines: 200 });
    const file = join(directory, 'job.yml');
    writeFileSync(file, stringify(job.definition));
    await cli('run', file, '--id', job.id, '--detach');
    const printed = async (line: number) =>
      (await cli('trace', job.id)).stdout.includes(`line ${String(line)} of ${job.id}\n`);

    await until('the tenth line', () => printed(10));
    await dev?.stop('SIGINT');
    expect(await dev?.exited).toBe(0);
    await startDev();
    await until('the thirtieth line', () => printed(30), 60_000);
    await dev?.stop('SIGKILL');
    await startDev();
    await until(
      'the end',
      async () => {
        const { stdout } = await cli('show', job.id, '--json');
        return stdout !== '' && (JSON.parse(stdout) as { state: string }).state === 'success';
      },
      90_000,
    );
    const trace = (await cli('trace', job.id)).stdout;

    expect(tally(job, trace, shared)).toMatchObject({ runs: 1, afterRuns: 1, linesLost: 0, linesDoubled: 0 });
  });

  it('leaves nothing on the engine and nothing running when it is stopped', async () => {
    const children = Object.values(
      (JSON.parse(readFileSync(join(state, 'dev.json'), 'utf8')) as { children: Record<string, { pid: number }> })
        .children,
    );
    await dev?.stop('SIGINT');
    dev = undefined;

    expect(children).toHaveLength(3);
    for (const { pid } of children) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(docker('ps', '-aq', '--filter', `label=holdfast.engine=${engine}`)).toEqual([]);
  });
});
