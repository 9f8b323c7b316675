import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { holdfast as command, type Ended } from '../../support/command-line.js';
import { until } from '../../support/processes.js';
import { startStack, type Stack } from '../../support/stack.js';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ prometheus: false });
});

afterAll(async () => {
  await stack.close();
});

async function holdfast(name: string, ...args: string[]): Promise<Ended> {
  const [own, rest] = args.includes('--') ? split(args) : [args, []];
  return await command([name, ...own, '--config', stack.configFile, ...rest]);
}

function split(args: string[]): [string[], string[]] {
  const at = args.indexOf('--');
  return [args.slice(0, at), args.slice(at)];
}

/** A job that leaves a file behind and fails. */
function failingJob(variables: Record<string, string> = {}): string {
  const file = join(stack.directory, 'failing.yml');
  const job = { name: 'failing', script: ['echo evidence > left-behind', 'exit 7'], variables };
  writeFileSync(file, JSON.stringify(job));
  return file;
}

async function untilNothingIsLeft(workflowId: string): Promise<void> {
  await until('an engine without the machine', () => stack.leftovers(workflowId).length === 0);
}

describe('a job that is held for debugging', () => {
  let id: string;

  it('fails as it would have: the final status does not wait for the hold', async () => {
    const ended = await holdfast('run', failingJob(), '--hold-on-failure', '30m', '--json');
    const result = JSON.parse(ended.stdout) as { workflowId: string; state: string; exitCode: number };
    id = result.workflowId;
    expect(result).toMatchObject({ state: 'failed', exitCode: 7 });
    expect(ended.code).toBe(7);
  });

  it('keeps its machine, and `holdfast machines` and `show` say until when', async () => {
    await until('the hold', async () => (await (await stack.client.job(id)).status()).heldUntil !== null);
    expect(stack.leftovers(id)).not.toEqual([]);
    const machines = await holdfast('machines');
    expect(machines.stdout).toMatch(/held/);
    expect((await holdfast('show', id)).stdout).toMatch(/held/);
  });

  it('lets one look at what the script left, and exits as the command did', async () => {
    const look = await holdfast('shell', id, '--', 'cat', 'left-behind');
    expect(look.stdout).toBe('evidence\n');
    expect(look.code).toBe(0);
    expect((await holdfast('shell', id, '--', 'sh', '-c', 'echo no >&2; exit 5')).code).toBe(5);
  });

  it('opens a shell at a terminal, in the directory of the sources', async () => {
    const line = `${process.execPath} ${resolve('bin/holdfast')} shell ${id} --config ${stack.configFile}`;
    const terminal = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let screen = '';
    terminal.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()));
    const exited = new Promise<number | null>((done) => terminal.once('exit', done));
    await until('the shell', () => screen.includes('held until'));
    terminal.stdin.write('pwd; tty; cat left-behind; exit 4\r');
    expect(await exited).toBe(4);
    expect(screen).toMatch(/builds/);
    expect(screen).toContain('evidence');
    expect(screen).toContain('/dev/pts/');
  });

  it('is still held after its worker was killed and started again', async () => {
    await stack.worker().stop('SIGKILL');
    await stack.startWorker();
    const look = await holdfast('shell', id, '--', 'cat', 'left-behind');
    expect(look).toMatchObject({ code: 0, stdout: 'evidence\n' });
  });

  it('goes when it is released, with everything that it had', async () => {
    const released = await holdfast('release', id);
    expect(released.code).toBe(0);
    expect(released.stdout + released.stderr).toMatch(/is released/);
    await untilNothingIsLeft(id);
    const late = await holdfast('shell', id);
    expect(late.code).not.toBe(0);
    expect(late.stderr).toMatch(/has no machine to look into|is gone/);
  });
});

describe('the variable HOLDFAST_HOLD_ON_FAILURE', () => {
  it('holds the machine too, and the timer ends the hold', async () => {
    const id = `held-${randomBytes(4).toString('hex')}`;
    const ran = holdfast('run', failingJob({ HELD: '6 seconds', HOLDFAST_HOLD_ON_FAILURE: '$HELD' }), '--id', id);
    const workflowId = `job/${id}`;
    const job = await stack.client.job(workflowId);
    const status = () => job.status().catch(() => undefined);
    await until('the hold', async () => typeof (await status())?.heldUntil === 'string', 60_000);
    expect(stack.leftovers(workflowId)).not.toEqual([]);
    expect((await ran).code).toBe(7);
    await untilNothingIsLeft(workflowId);
    expect((await job.status()).heldUntil).toBeNull();
  });

  it('holds no machine of a job that is well', async () => {
    const file = join(stack.directory, 'well.yml');
    writeFileSync(file, JSON.stringify({ script: ['true'], variables: { HOLDFAST_HOLD_ON_FAILURE: '30m' } }));
    const ended = await holdfast('run', file, '--json');
    await untilNothingIsLeft((JSON.parse(ended.stdout) as { workflowId: string }).workflowId);
  });
});
