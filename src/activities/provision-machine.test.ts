import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Provisioned, ProvisionInput } from '../contracts/activities.js';
import { parseJobObject } from '../job/job-file.js';
import { jobFileToSpec } from '../job/to-spec.js';
import { MachineError } from '../machines/engine.js';
import { createDirectoryStore } from '../store/directory-store.js';
import { jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { createPlanVault } from './plan-vault.js';
import { createProvisionMachine, type ProvisionDeps } from './provision-machine.js';
import { createTraceHub } from './trace-hub.js';

const JOB = 'job/1';
let directory: string;
let store: Store;
let clock: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-provision-'));
  store = createDirectoryStore({ directory });
  clock = 0;
});

afterEach(() => rmSync(directory, { recursive: true }));

function inputOf(changes: Partial<ProvisionInput> = {}): ProvisionInput {
  const parsed = parseJobObject({ script: ['true'] });
  if (!parsed.ok) throw new Error('not a job');
  return {
    workflowId: JOB,
    attempt: 1,
    spec: jobFileToSpec(parsed.job),
    nonce: 'n',
    trace: { part: 0, offset: 0, overLimit: false },
    prelude: '',
    queuedAtMs: 1_700_000_000_000,
    ...changes,
  };
}

interface Host {
  version: string;
  defaultImage: string;
  engine: string;
  /** Happens while the plan is made. */
  planning?: () => void;
  acquire?: () => void;
}

const unsealed = { seal: (plain: Buffer) => plain, open: (sealed: Buffer) => sealed };
const plans = () => createPlanVault(store, unsealed);

/** An attempt of a worker of this release, on an engine of these settings. */
function provision(
  attempt: number,
  { version, defaultImage, engine, planning, acquire }: Host,
  changes: Partial<ProvisionInput> = {},
): Promise<Provisioned> {
  const { provisionMachine } = createProvisionMachine({
    store,
    hub: createTraceHub(),
    plans: plans(),
    version,
    revision: 'r',
    installation: 'i',
    settings: {
      buildsDirectory: '/builds',
      serviceWaitMs: 0,
      get defaultImage() {
        planning?.();
        return defaultImage;
      },
    },
    lifecycle: { handover: new AbortController().signal, pausedJustNow: () => false, steadyNow: () => clock },
    machineAcquired: () => undefined,
    machineMissed: () => undefined,
    metricsSettings: { enabled: false, graceMs: 0, giveUpAfterMs: 0 },
    engine: {
      name: engine,
      metricsLabel: () => ({ name: 'machine', value: 'm' }),
      acquire() {
        acquire?.();
        const image = { name: defaultImage, id: 'sha256:1' };
        return Promise.resolve({ machine: 'm', engine, image, notes: [], services: [], warm: false });
      },
    },
  } as unknown as ProvisionDeps);
  return new MockActivityEnvironment({ attempt }).run(provisionMachine, inputOf(changes));
}

async function trace(): Promise<string> {
  return (await store.read(jobKeys.trace(JOB)))?.toString('utf8') ?? '';
}

const OLD: Host = { version: '1.0.0', defaultImage: 'debian:bookworm-slim', engine: 'a' };
const NEW: Host = { version: '1.10.0', defaultImage: 'alpine', engine: 'b' };

const unreachable = () => {
  throw new MachineError('ENGINE_UNREACHABLE', 'no answer', { retryable: true });
};

describe('what a trace begins with', () => {
  it('stays as the first attempt has written it when the next one is of another release, on another engine', async () => {
    await expect(provision(1, { ...OLD, acquire: unreachable })).rejects.toThrow();
    const first = await trace();

    const provisioned = await provision(2, NEW);

    expect(first).toContain('Running with holdfast 1.0.0');
    expect(await trace()).toBe(first);
    expect(provisioned.trace.offset).toBe(Buffer.byteLength(first));
    // Where it really is goes to the trace behind it.
    expect(provisioned.notes).toContain('for alpine');
  });
});

describe('an attempt that was overtaken while it made its plan', () => {
  it('does not replace the plan of its successor', async () => {
    await provision(2, NEW);

    const late = provision(1, { ...OLD, planning: () => (clock += 30_000) });

    await expect(late).rejects.toMatchObject({ type: 'OVERSLEPT' });
    expect((await plans().find(JOB, 1))?.plan.image.name).toBe('alpine');
  });
});

describe('a workflow with the id of another', () => {
  it('is refused before anything of that one is touched; a repeated delivery, a next machine and a reset are no other', async () => {
    await provision(1, OLD, { firstRunId: 'a' });
    await provision(2, OLD, { firstRunId: 'a' });
    await provision(1, OLD, { firstRunId: 'a', attempt: 2 });
    const first = await trace();
    let acquired = false;

    const again = provision(1, { ...NEW, acquire: () => (acquired = true) }, { firstRunId: 'b' });

    await expect(again).rejects.toMatchObject({
      nonRetryable: true,
      details: [{ reason: 'runner_configuration_error', message: expect.stringContaining('start it with another id') }],
    });
    expect(acquired).toBe(false);
    expect(await trace()).toBe(first);
  });
});

describe('a machine', () => {
  it('comes with the time for which it is held after a failure, or with what is wrong in the variable that says so', async () => {
    const spec = (value: string) => {
      const { spec: given } = inputOf({});
      const variable = { key: 'HOLDFAST_HOLD_ON_FAILURE', value, public: true, masked: false, raw: false, file: false };
      return { ...given, variables: [...given.variables, variable] };
    };

    expect((await provision(1, NEW, { spec: spec('1h') })).holdOnFailureMs).toBe(3_600_000);
    const wrong = await provision(1, NEW, { spec: spec('30 mn'), attempt: 2 });
    expect(wrong.holdOnFailureMs).toBe(0);
    expect(wrong.notes).toContain(
      'WARNING: HOLDFAST_HOLD_ON_FAILURE "30 mn" is no time such as 30m or 1h; it is ignored',
    );
  });
});
