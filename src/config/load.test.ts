import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { buildRevision, loadConfig, parseConfig } from './load.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
  return () => rmSync(directory, { recursive: true, force: true });
});

function load(gitlab: object, mode: number, env: NodeJS.ProcessEnv = {}) {
  const file = join(directory, 'holdfast.yaml');
  writeFileSync(file, stringify({ gitlab: [{ name: 'main', url: 'https://gitlab.example', ...gitlab }] }));
  chmodSync(file, mode);
  return loadConfig({ file, env });
}

it('a port that no server can have is told before one tries to', () => {
  const address = (listenAddress: string) => () => parseConfig({ metricsServer: { listenAddress } }, 'the test');

  expect(address('127.0.0.1:99999')).toThrow('metricsServer.listenAddress: must have a port from 0 to 65535');
  expect(address('[::1]:65535')).not.toThrow();
});

it('a password in the address of Prometheus, which nobody would send, is refused', () => {
  expect(() => parseConfig({ metrics: { prometheusUrl: 'http://me:secret@prometheus:9090' } }, 'c.yaml')).toThrow(
    'metrics.prometheusUrl: must not carry a user and a password: they go into metrics.basicAuth',
  );
});

it('the revision is what the environment says, else what the build found, else unknown', () => {
  const file = pathToFileURL(join(directory, 'revision'));
  expect(buildRevision({ HOLDFAST_REVISION: 'abc' }, file)).toBe('abc');
  expect(buildRevision({ HOLDFAST_REVISION: '' }, file)).toBe('unknown');
  writeFileSync(file, '1f2e3d4c\n');
  expect(buildRevision({}, file)).toBe('1f2e3d4c');
  expect(buildRevision({ HOLDFAST_REVISION: 'abc' }, file)).toBe('abc');
});

describe('files with secrets', () => {
  it('are warned about when others can read them', () => {
    expect(load({ token: 'glrt-x' }, 0o644).warnings).toEqual([expect.stringMatching(/holds a token.*chmod 600/)]);
    expect(load({ token: 'glrt-x' }, 0o640).warnings).toHaveLength(1);
    expect(load({ environment: { DOCKER_AUTH_CONFIG: '{}' } }, 0o604).warnings).toHaveLength(1);
  });

  it('are not when nobody else can, or when there is no secret', () => {
    expect(load({ token: 'glrt-x' }, 0o600).warnings).toEqual([]);
    expect(load({ environment: { LANG: 'C' } }, 0o644).warnings).toEqual([]);
  });

  it('are warned about one by one: a token file too', () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, 'glrt-x', { mode: 0o600 });
    expect(load({ tokenFile }, 0o644).warnings).toEqual([]);
    chmodSync(tokenFile, 0o644);
    expect(load({ tokenFile }, 0o644).warnings).toEqual([`${tokenFile} can be read by others: chmod 600 ${tokenFile}`]);
  });
});

it('takes a token from the environment before any other, and then warns of no file', () => {
  const { config, warnings } = load({ tokenFile: '/nowhere' }, 0o644, { HOLDFAST_GITLAB_TOKEN_MAIN: 'glrt-env' });

  expect(config.gitlab[0]).toMatchObject({ token: 'glrt-env', tokenFile: undefined });
  expect(warnings).toEqual([]);
});
