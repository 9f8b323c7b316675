import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startCoordinator, type TestCoordinator } from '../support/coordinator/coordinator.js';
import { freePort } from '../support/processes.js';

let coordinator: TestCoordinator;
let directory: string;

beforeAll(async () => {
  coordinator = await startCoordinator();
});

afterAll(async () => {
  await coordinator.close();
  expect(coordinator.violations).toEqual([]);
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-register-'));
  return () => rmSync(directory, { recursive: true, force: true });
});

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The command itself, in a directory of its own. */
async function holdfast(args: string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<Ran> {
  const child = spawn(process.execPath, [resolve('dist/cli/bin.js'), ...args], {
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: directory, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, stdout, stderr };
}

const inDirectory = (name: string) => join(directory, name);
const modeOf = (name: string) => statSync(inDirectory(name)).mode & 0o777;

describe('holdfast register', () => {
  it('verifies the token, keeps it in a private file, and writes the entry', async () => {
    const ran = await holdfast(['register', '--url', `${coordinator.url}/`, '--token', coordinator.runnerToken]);

    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toMatch(/the token is valid/);
    expect(ran.stdout + ran.stderr).not.toContain(coordinator.runnerToken);
    expect(parse(readFileSync(inDirectory('holdfast.yaml'), 'utf8'))).toEqual({
      gitlab: [{ name: 'main', url: coordinator.url, tokenFile: inDirectory('gitlab-main.token') }],
    });
    expect(readFileSync(inDirectory('gitlab-main.token'), 'utf8').trim()).toBe(coordinator.runnerToken);
    expect([modeOf('gitlab-main.token'), modeOf('holdfast.yaml')]).toEqual([0o600, 0o600]);
  });

  it('leaves the rest of a configuration as it was, and changes nothing the second time', async () => {
    const text =
      '# mine\nlog: { level: debug } # loud\n\ngitlab:\n  - name: other\n    url: https://other.example\n    limit: 2\n';
    writeFileSync(inDirectory('holdfast.yaml'), text, { mode: 0o640 });
    const args = ['register', '--url', coordinator.url, '--token', coordinator.runnerToken, '--limit', '5'];
    await holdfast(args);
    const once = readFileSync(inDirectory('holdfast.yaml'), 'utf8');
    const again = await holdfast(args);

    expect(once.startsWith(text)).toBe(true);
    expect(parse(once)).toMatchObject({ gitlab: [{ name: 'other' }, { name: 'main', limit: 5 }] });
    expect(again.stdout).toContain('already');
    expect(readFileSync(inDirectory('holdfast.yaml'), 'utf8')).toBe(once);
    expect(modeOf('holdfast.yaml')).toBe(0o640);
  });

  it.each(['environment', 'standard input'])('takes the token from the %s', async (from) => {
    const token = coordinator.runnerToken;
    const ran = await holdfast(
      ['register', '--url', coordinator.url],
      from === 'environment' ? { env: { HOLDFAST_REGISTER_TOKEN: token } } : { input: `${token}\n` },
    );

    expect(ran.code).toBe(0);
    expect(readFileSync(inDirectory('gitlab-main.token'), 'utf8').trim()).toBe(token);
  });

  it('writes nothing when GitLab does not know the token, and says what to do', async () => {
    const ran = await holdfast(['register', '--url', coordinator.url, '--token', 'glrt-wrong']);

    expect(ran.code).toBe(69);
    expect(ran.stderr).toMatch(/does not know this runner token.*create a runner in GitLab/);
    expect(ran.stderr).not.toContain('glrt-wrong');
    expect([existsSync(inDirectory('holdfast.yaml')), existsSync(inDirectory('gitlab-main.token'))]).toEqual([
      false,
      false,
    ]);
  });

  it('says when GitLab cannot be reached', async () => {
    const url = `http://127.0.0.1:${String(await freePort())}`;
    const ran = await holdfast(['register', '--url', url, '--token', 'glrt-x']);

    expect(ran).toMatchObject({ code: 69, stderr: expect.stringMatching(/cannot be reached.*is it running/) });
  });

  it.each([
    [['--url', 'gitlab.example', '--token', 'x'], /no http or https URL/],
    [['--url', 'http://x', '--token', ' '], /token is empty/],
    [['--url', 'http://x', '--token', 'x', '--limit', 'many'], /no number of jobs/],
    [['--token', 'x'], /--url/],
  ])('refuses %j as a mistake', async (args, message) => {
    expect(await holdfast(['register', ...args])).toMatchObject({ code: 64, stderr: expect.stringMatching(message) });
  });
});

describe('holdfast check', () => {
  it('asks each GitLab about its token, which may come from the environment, and says what is wrong', async () => {
    const entry = (name: string, more: object = {}) => ({ name, url: coordinator.url, ...more });
    const gitlab = [
      entry('good'),
      entry('none'),
      entry('wrong', { token: 'glrt-wrong' }),
      entry('lost', { pool: 'x' }),
    ];
    writeFileSync(inDirectory('holdfast.yaml'), JSON.stringify({ gitlab }), { mode: 0o644 });
    const ran = await holdfast(['check', '--json'], { env: { HOLDFAST_GITLAB_TOKEN_GOOD: coordinator.runnerToken } });
    const { checks } = JSON.parse(ran.stdout) as { checks: { what: string; ok: boolean; detail: string }[] };
    const told = (name: string) => checks.find(({ what }) => what.startsWith(`gitlab ${name} `));

    expect(told('good')).toMatchObject({
      ok: true,
      detail: expect.stringMatching(/the token is valid.*system id [rs]_\w{12}/),
    });
    expect(told('none')).toMatchObject({ ok: false, detail: expect.stringMatching(/has no token.*GITLAB_TOKEN_NONE/) });
    expect(told('wrong')).toMatchObject({ ok: false, detail: expect.stringMatching(/does not know/) });
    expect(told('lost')).toMatchObject({ ok: false, detail: expect.stringMatching(/pool "x"/) });
    expect(ran.stderr).toMatch(/holdfast\.yaml holds a token and can be read by others: chmod 600/);
    expect(ran.stdout + ran.stderr).not.toContain(coordinator.runnerToken);
    expect(ran.stdout + ran.stderr).not.toContain('glrt-wrong');
  });
});

describe('holdfast import-config', () => {
  const TOML =
    'concurrent = 2\ncheck_interval = 3\n[[runners]]\nname = "a"\nurl = "https://g.example"\ntoken = "glrt-imported"\nexecutor = "docker"\n';

  it('writes configuration and tokens as private files and lists the rest', async () => {
    writeFileSync(inDirectory('config.toml'), TOML);
    const ran = await holdfast(['import-config', 'config.toml', '--output', 'out/holdfast.yaml']);

    expect(ran).toMatchObject({ code: 0, stdout: '', stderr: expect.stringMatching(/check_interval: a GitLab that/) });
    expect(readFileSync(inDirectory('out/gitlab-a.token'), 'utf8')).toBe('glrt-imported\n');
    expect([modeOf('out/gitlab-a.token'), modeOf('out/holdfast.yaml')]).toEqual([0o600, 0o600]);
    expect(readFileSync(inDirectory('out/holdfast.yaml'), 'utf8')).not.toContain('glrt-imported');
  });

  it('replaces no file that differs, and writes nothing then, unless it is told to', async () => {
    writeFileSync(inDirectory('config.toml'), TOML);
    writeFileSync(inDirectory('holdfast.yaml'), '# precious\n');
    const ran = await holdfast(['import-config', 'config.toml', '--output', 'holdfast.yaml']);

    expect(ran).toMatchObject({ code: 64, stderr: expect.stringContaining('--force replaces it') });
    expect(readFileSync(inDirectory('holdfast.yaml'), 'utf8')).toBe('# precious\n');
    expect(existsSync(inDirectory('gitlab-a.token'))).toBe(false);
    expect((await holdfast(['import-config', 'config.toml', '--output', 'holdfast.yaml', '--force'])).code).toBe(0);
  });

  it('prints the configuration without --output, and no token anywhere', async () => {
    const ran = await holdfast(['import-config', '-'], { input: TOML });

    expect(parse(ran.stdout)).toMatchObject({ gitlab: [{ tokenFile: '/etc/holdfast/gitlab-a.token' }] });
    expect(ran.stdout + ran.stderr).not.toContain('glrt-imported');
    expect(ran.stderr).toContain('put it into /etc/holdfast/gitlab-a.token');
  });
});
