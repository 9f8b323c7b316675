import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Context } from '@temporalio/activity';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { askStatus } from '../../src/client/ask-status.js';
import type { Activities, Provisioned, StepResult, TracePosition } from '../../src/contracts/activities.js';
import type { CiJobResult, JobStatus } from '../../src/contracts/ci-job.js';
import {
  CI_JOB_WORKFLOW,
  coordinatorTaskQueue,
  engineTaskQueue,
  metricsTaskQueue,
  poolTaskQueue,
  RESULT_UPDATE,
} from '../../src/contracts/names.js';
import { startProxy } from '../support/faults/proxy.js';
import { createTemporalServer } from '../support/temporal-server.js';

/** What an activity of one job does instead of the usual. */
export type Behaviour = Partial<Activities>;

export interface Call {
  activity: keyof Activities;
  input: unknown;
  attempt: number;
}

export interface FakeJob {
  handle: WorkflowHandle;
  /** Every delivery of an activity, in the order of its start. */
  calls: Call[];
  /** Names of the activities, without repeated deliveries. */
  names(): string[];
  result(): Promise<CiJobResult>;
  status(): Promise<JobStatus>;
  /** Everything that was written to the trace, in order. */
  trace(): string;
}

/** A real Temporal server and real workers; the activities do nothing but remember, and what a test tells them. */
export interface FakeWorld {
  start(job: object, behaviour?: Behaviour, options?: { id?: string; input?: object }): Promise<FakeJob>;
  client: Client;
  address: string;
  taskQueue: string;
  /** The worker of the workflows is cut off, as when its process is killed: Temporal thinks of it as theirs still. */
  cutOff(): Promise<void>;
  /** One more worker for workflows. */
  startSuccessor(): Promise<void>;
  close(): Promise<void>;
}

export const ENGINE = 'fake';

const QUEUE = 'holdfast';
const POOL = 'default';

const BUNDLE = resolve('dist/workflow-bundle.js');

/** @param changes of the workflow code as it is built, by what stands there: waits that no test can wait for, say */
export async function startFakeWorld({ changes = {} }: { changes?: Record<string, string> } = {}): Promise<FakeWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-workflow-'));
  const codePath = Object.keys(changes).length === 0 ? BUNDLE : changedBundle(directory, changes);
  const server = await createTemporalServer(directory);
  const temporal = await server.start();
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const connection = await NativeConnection.connect({ address: server.address });
  const [host = '', port] = server.address.split(':');
  const proxy = await startProxy({ host, port: Number(port) });
  const cuttable = await NativeConnection.connect({ address: `127.0.0.1:${String(proxy.port)}` });
  const clientConnection = await Connection.connect({ address: server.address });
  const client = new Client({ connection: clientConnection });
  const jobs = new Map<string, { calls: Call[]; behaviour: Behaviour }>();
  const activities = dispatching(jobs);
  const common = { connection, maxHeartbeatThrottleInterval: 100, defaultHeartbeatThrottleInterval: 100 };
  const forWorkflows = { ...common, taskQueue: QUEUE, workflowBundle: { codePath }, activities };
  const workers = [
    await Worker.create({ ...forWorkflows, connection: cuttable }),
    await Worker.create({ ...common, taskQueue: engineTaskQueue(QUEUE, ENGINE), activities }),
    await Worker.create({ ...common, taskQueue: poolTaskQueue(QUEUE, POOL), activities }),
    await Worker.create({ ...common, taskQueue: coordinatorTaskQueue(QUEUE), activities }),
    await Worker.create({ ...common, taskQueue: metricsTaskQueue(QUEUE), activities }),
  ];
  const runs = workers.map((worker) => worker.run());
  let count = 0;

  return {
    client,
    address: server.address,
    taskQueue: QUEUE,
    async start(job, behaviour = {}, options = {}) {
      count += 1;
      const workflowId = `job/${options.id ?? `w${String(count)}`}`;
      const calls: Call[] = [];
      jobs.set(workflowId, { calls, behaviour });
      const isSpec = options.input !== undefined && 'spec' in options.input;
      const handle = await client.workflow.start(CI_JOB_WORKFLOW, {
        taskQueue: QUEUE,
        workflowId,
        args: [{ version: 1, ...(isSpec ? {} : { job: { script: ['true'], ...job } }), ...options.input }],
      });
      return {
        handle,
        calls,
        names: () => calls.filter((call) => call.attempt === 1).map((call) => call.activity),
        result: () => handle.executeUpdate<CiJobResult, []>(RESULT_UPDATE),
        status: () => askStatus(handle),
        trace: () =>
          calls
            .filter((call) => call.attempt === 1)
            .map(textOf)
            .join(''),
      };
    },
    cutOff: () => proxy.cut(),
    async startSuccessor() {
      const successor = await Worker.create(forWorkflows);
      workers.push(successor);
      runs.push(successor.run());
    },
    async close() {
      await proxy.restore();
      for (const worker of workers) worker.shutdown();
      await Promise.all(runs);
      await clientConnection.close();
      await connection.close();
      await cuttable.close();
      await proxy.close();
      await temporal.stop('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function changedBundle(directory: string, changes: Record<string, string>): string {
  let code = readFileSync(BUNDLE, 'utf8');
  for (const [before, after] of Object.entries(changes)) {
    if (code.split(before).length !== 2) throw new Error(`"${before}" is not once in the workflow bundle`);
    code = code.replace(before, after);
  }
  const path = join(directory, 'bundle.js');
  writeFileSync(path, code);
  return path;
}

function textOf({ input }: Call): string {
  const { prelude, text } = input as { prelude?: string; text?: string };
  return `${prelude ?? ''}${text ?? ''}`;
}

type Verb = keyof Activities;

/** Activities that look up what their job wants of them. */
function dispatching(jobs: ReadonlyMap<string, { calls: Call[]; behaviour: Behaviour }>): Activities {
  const usual = usualActivities();
  const entries = (Object.keys(usual) as Verb[]).map((activity) => [
    activity,
    async (input: { workflowId?: string; job?: string }): Promise<unknown> => {
      const job = jobs.get(input.workflowId ?? input.job ?? '');
      if (job === undefined) throw ApplicationFailure.nonRetryable(`No such job: ${JSON.stringify(input)}`);
      job.calls.push({ activity, input, attempt: Context.current().info.attempt });
      const act = (job.behaviour[activity] ?? usual[activity]) as (given: unknown) => Promise<unknown>;
      const beat = setInterval(() => Context.current().heartbeat(), 200);
      try {
        return await act(input);
      } finally {
        clearInterval(beat);
      }
    },
  ]);
  return Object.fromEntries(entries) as Activities;
}

export function provisioned(
  input: Parameters<Activities['provisionMachine']>[0],
  with_: Partial<Provisioned> = {},
): Provisioned {
  return {
    workflowId: input.workflowId,
    attempt: input.attempt,
    engine: ENGINE,
    machine: `m-${input.workflowId.replace('/', '-')}-${String(input.attempt)}`,
    image: 'busybox',
    warm: false,
    trace: after(input.trace, input.prelude.length),
    notes: 'notes of the machine\n',
    metrics: { enabled: true, graceMs: 1_000, giveUpAfterMs: 60_000 },
    scriptTimeoutMs: null,
    afterScriptTimeoutMs: 2_000,
    provisioningAtMs: Date.now(),
    readyAtMs: Date.now(),
    limits: { cpus: null, memoryBytes: null },
    ...with_,
  };
}

export function exited(exitCode: number): StepResult {
  const now = Date.now();
  return { kind: 'exited', exitCode, oomKilled: false, startedAtMs: now, finishedAtMs: now, attempts: 1 };
}

/** Until `stopStep` was called for the step; then what a stopped container says. */
export function stoppable(): Pick<Activities, 'runStep' | 'stopStep'> {
  const stopped = new Map<string, () => void>();
  const running = new Map<string, Promise<void>>();
  const until = (step: string) => {
    const known = running.get(step);
    if (known !== undefined) return known;
    const wait = new Promise<void>((done) => stopped.set(step, done));
    running.set(step, wait);
    return wait;
  };
  return {
    async runStep({ step }) {
      if (step === 'after_script') return exited(0);
      await until(step);
      return { kind: 'stopped', startedAtMs: Date.now(), finishedAtMs: Date.now(), attempts: 1 };
    },
    async stopStep({ step }) {
      void until(step);
      stopped.get(step)?.();
      await Promise.resolve();
    },
  };
}

function after(position: TracePosition, bytes: number): TracePosition {
  return { part: position.part + 1, offset: position.offset + bytes, overLimit: false };
}

function usualActivities(): Activities {
  const moved = () => {
    const now = Date.now();
    return { ok: true, text: '', startedAtMs: now, finishedAtMs: now, attempts: 1 };
  };
  const act = <T>(value: T): Promise<T> => Promise.resolve(value);
  return {
    provisionMachine: (input) => act(provisioned(input)),
    runStep: () => act(exited(0)),
    stopStep: () => act(undefined),
    streamTrace: ({ from, prelude }) => act(after(from, prelude.length)),
    restoreCache: () => act(moved()),
    fetchDependencies: () => act({ ok: true, text: '' }),
    downloadArtifacts: () => act(moved()),
    saveCache: () => act(moved()),
    uploadArtifacts: () => act({ ...moved(), artifacts: [] }),
    releaseMachine: () => act(undefined),
    collectMetrics: () => act({ state: 'uploaded', outcome: 'uploaded', reason: '', flags: [] }),
    replayJobMetrics: ({ job }) => act({ job, outcome: 'uploaded', reason: '', flags: [] }),
    finishJob: ({ trace, text }) => act({ traceBytes: trace.offset + text.length }),
    deliverArtifacts: () => act({ ok: true, text: '' }),
    reportToCoordinator: () => act({ kind: 'delivered', coordinatorState: 'success' }),
  };
}
