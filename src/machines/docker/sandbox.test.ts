import type Docker from 'dockerode';
import { expect, it } from 'vitest';
import { parseConfig } from '../../config/load.js';
import { installationOf } from '../installation.js';
import { slotName } from './names.js';
import { claimSandbox } from './sandbox.js';

const settings = {
  ...parseConfig({ engines: [{ name: 'e', defaultImage: 'i', helperImage: 'h', capacity: 2 }] }, 'test').engines[0]!,
  installation: installationOf('namespace', ['here']),
};
const OWNER = { job: 'job/1', machine: 'm' };

interface Listed {
  Id: string;
  Names: string[];
  State: string;
  Labels: Record<string, string>;
}

const SANDBOX: Listed = {
  Id: 'own',
  Names: [`/${slotName(settings, 1)}`],
  State: 'created',
  Labels: { 'holdfast.role': 'sandbox', 'holdfast.machine': 'm', 'holdfast.job': 'job/1', 'holdfast.volume': 'v' },
};
const HELPER: Listed = {
  Id: 'helper',
  Names: ['/holdfast-m-helper'],
  State: 'created',
  Labels: { 'holdfast.role': 'helper', 'holdfast.machine': 'm', 'holdfast.job': 'job/1', 'holdfast.sandbox': 'own' },
};

/** An engine where each container that is to be started has just been started by somebody else. */
function engine(listed: Listed[]) {
  const started: string[] = [];
  const container = (id: string) => ({
    id,
    start: () => {
      started.push(id);
      return Promise.reject(Object.assign(new Error('container already started'), { statusCode: 304 }));
    },
    remove: () => Promise.reject(new Error('nothing is to be removed')),
  });
  const docker = {
    listContainers: () => Promise.resolve(listed.map((one) => ({ Image: 'h', Created: 0, HostConfig: {}, ...one }))),
    createContainer: () => Promise.resolve(container('new')),
    getContainer: container,
  };
  return { docker: docker as unknown as Docker, started };
}

it('takes the sandbox over that an earlier attempt has made, also where that starts it in this instant', async () => {
  const { docker, started } = engine([SANDBOX]);

  expect(await claimSandbox(docker, settings, OWNER, undefined)).toMatchObject({ id: 'own', volume: 'v' });
  expect(started).toEqual(['own']);
});

it('takes it over where the helper container has joined it already', async () => {
  const { docker, started } = engine([{ ...SANDBOX, State: 'running' }, HELPER]);

  expect(await claimSandbox(docker, settings, OWNER, undefined)).toMatchObject({ id: 'own', volume: 'v' });
  expect(started).toEqual([]);
});

it('keeps a new one which a later attempt has found and started', async () => {
  const { docker, started } = engine([]);

  expect(await claimSandbox(docker, settings, OWNER, undefined)).toMatchObject({ id: 'new' });
  expect(started).toEqual(['new']);
});
