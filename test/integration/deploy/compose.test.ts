import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../../src/config/load.js';
import { SEARCH_ATTRIBUTES } from '../../../src/contracts/names.js';
import { TEMPORAL_DYNAMIC_CONFIG } from '../../../src/dev/temporal-settings.js';
import { findTool } from '../../../src/dev/tools.js';
import { freePort, startProcess, untilHttp, type Process } from '../../support/processes.js';

/** Each Compose that there is here: version 1 is a program, version 2 a plugin of `docker`. */
const COMPOSES = [['docker-compose'], ['docker', 'compose']].filter(
  ([program = '', ...rest]) => spawnSync(program, [...rest, 'version']).status === 0,
);

const directory = mkdtempSync(join(tmpdir(), 'holdfast-deploy-'));
/** The .env of whoever runs the tests must not help. */
const noSettings = join(directory, 'env');
writeFileSync(noSettings, '');
afterAll(() => rmSync(directory, { recursive: true }));

function compose([program = '', ...rest]: readonly string[], env: Record<string, string>) {
  return spawnSync(program, [...rest, '--env-file', noSettings, '-f', 'docker-compose.yml', 'config'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
  });
}

interface Composition {
  services: Record<
    string,
    {
      image?: string;
      healthcheck?: unknown;
      restart?: string;
      ports?: string[];
      volumes?: string[];
      environment?: Record<string, unknown>;
    }
  >;
}

describe.each(COMPOSES.map((command) => [command.join(' '), command] as const))('%s', (_name, command) => {
  it('accepts docker-compose.yml when passwords are set', () => {
    const { status, stderr } = compose(command, { POSTGRES_PASSWORD: 'given', DOCKER_GID: '999' });

    expect(stderr.split('\n').filter((line) => !/obsolete/.test(line) && line !== '')).toEqual([]);
    expect(status).toBe(0);
  });

  it.each([
    ['POSTGRES_PASSWORD', { DOCKER_GID: '999' }],
    ['POSTGRES_PASSWORD', { POSTGRES_PASSWORD: '', DOCKER_GID: '999' }],
    ['DOCKER_GID', { POSTGRES_PASSWORD: 'given' }],
  ])('refuses to start without %s, and says how it is made', (_variable, env) => {
    const { status, stderr } = compose(command, env);

    expect(status).not.toBe(0);
    expect(stderr).toContain('deploy/secrets.sh');
  });
});

describe('docker-compose.yml', () => {
  const { services } = parse(readFileSync('docker-compose.yml', 'utf8')) as Composition;

  it('has been looked at by a Compose of this machine', () => {
    expect(COMPOSES.length).toBeGreaterThan(0);
  });

  it('pins every image, publishes on loopback only, and checks the health of what stays', () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service.image, name).toMatch(/:v?\d+\.\d+/);
      for (const port of service.ports ?? []) expect(port, name).toMatch(/^127\.0\.0\.1:/);
      if (service.restart !== 'on-failure') expect(service.healthcheck, name).toBeDefined();
    }
  });

  it('gives the worker a configuration that is valid', () => {
    const config = parseConfig(parse(readFileSync('deploy/holdfast.yaml', 'utf8')), 'deploy/holdfast.yaml');

    expect(config.codec.tokenFile).toBeDefined();
    expect(config.encryption.keyFile).toBeDefined();
  });

  it('gives Temporal the settings that `holdfast dev` gives it', () => {
    const path = 'deploy/temporal-dynamic-config.yaml';
    const settings = parse(readFileSync(path, 'utf8')) as Record<string, { value: unknown }[]>;

    expect(services['temporal']?.volumes).toContainEqual(expect.stringContaining(`./${path}:/${path}:`));
    expect(services['temporal']?.environment).toMatchObject({ DYNAMIC_CONFIG_FILE_PATH: `/${path}` });
    expect(Object.entries(settings).map(([key, [first]]) => [key, first?.value])).toEqual(
      Object.entries(TEMPORAL_DYNAMIC_CONFIG),
    );
  });

  it('has no value for a secret in .env.example', () => {
    const lines = readFileSync('.env.example', 'utf8').split('\n');

    expect(lines.filter((line) => /^(POSTGRES_PASSWORD|DOCKER_GID)=/.test(line))).toEqual([
      'POSTGRES_PASSWORD=',
      'DOCKER_GID=',
    ]);
  });
});

describe('deploy/temporal-setup.sh', () => {
  let temporal: Process;
  let address: string;

  beforeAll(async () => {
    const [port, ui] = [await freePort(), await freePort()];
    address = `127.0.0.1:${String(port)}`;
    const args = ['server', 'start-dev', '--ip=127.0.0.1', `--port=${String(port)}`, `--ui-port=${String(ui)}`];
    temporal = startProcess(findTool('temporal', '.holdfast'), args, join(directory, 'temporal.log'));
    await untilHttp(`http://127.0.0.1:${String(ui)}`);
  });
  afterAll(() => temporal.stop('SIGKILL'));

  it('registers what the workflows use, and changes nothing the second time', () => {
    const program = findTool('temporal', '.holdfast');
    const PATH = [dirname(program), process.env['PATH']].join(delimiter);
    const env = { ...process.env, PATH, TEMPORAL_ADDRESS: address, RETENTION: '30d' };
    execFileSync('sh', ['deploy/temporal-setup.sh'], { env });
    execFileSync('sh', ['deploy/temporal-setup.sh'], { env });
    const list = execFileSync(program, ['operator', 'search-attribute', 'list', '--address', address], {
      encoding: 'utf8',
    });

    for (const [name, type] of Object.entries(SEARCH_ATTRIBUTES)) {
      expect(list).toMatch(new RegExp(`${name}\\s+${type}\\b`));
    }
  });
});
