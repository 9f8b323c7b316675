import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { WorkflowHandle, WorkflowUpdateHandle } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import type {
  Activities,
  FailureDetails,
  FilesResult,
  FinishJobInput,
  MachineRef,
  StepResult,
} from '../../../src/contracts/activities.js';
import type { ArtifactStatus, CiJobResult } from '../../../src/contracts/ci-job.js';
import { RELEASE_SIGNAL, RESULT_UPDATE, STATUS_QUERY } from '../../../src/contracts/names.js';
import { until } from '../../support/processes.js';
import { exited, provisioned } from '../fake-world.js';
import { createFakeCoordinator, type FakeCoordinator } from './coordinator.js';
import {
  eventsAt,
  hasJobLimit,
  hasLimit,
  type FilesEnd,
  type JobEvent,
  type JobHistory,
  type MachinePlan,
  type Point,
  type StepPlan,
} from './job-history.js';
import { createFakeMetrics, type FakeMetrics } from './metrics.js';

const CANCEL_REQUESTED = temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED;

/** Far above what a step takes that is not meant to run into it, save on a machine that is overloaded. */
const LIMIT_MS = 2_000;
export const JOB_LIMIT_MS = 6_000;
const LONG_MS = 10 * 60_000;
/** Of the limits: what comes later than this says nothing about the workflow. */
const IN_TIME = 0.75;

/** What was done for a job, as the world around it saw it. */
export interface Played {
  behaviour: Partial<Activities>;
  /** As soon as the workflow is there. */
  begin(handle: WorkflowHandle): void;
  coordinator: FakeCoordinator;
  /** `<attempt> <what>` of everything that was asked for, without repeated deliveries. */
  calls: string[];
  /** Attempts whose machine was handed over. */
  machines: number[];
  /** Attempts whose machine was released, once for each time it was asked for. */
  released: number[];
  /** Inputs of `finishJob`, without repeated deliveries. */
  reports: FinishJobInput['report'][];
  /** What must never be: a script that is started twice, a machine that is used after its end. */
  misdeeds: string[];
  answers: WorkflowUpdateHandle<CiJobResult>[];
  metrics: FakeMetrics;
  /** The machine that this ran on was too slow for the limits to mean what they are meant to. */
  slow(): boolean;
}

type StepName = 'get_sources' | 'step_script' | 'step_release' | 'after_script';

/** A world in which the job goes as its history has it. Nothing in it knows what the workflow should make of that. */
export function playJob(history: JobHistory): Played {
  const coordinator = createFakeCoordinator();
  const calls: string[] = [];
  const machines: number[] = [];
  const released: number[] = [];
  const reports: FinishJobInput['report'][] = [];
  const misdeeds: string[] = [];
  const answers: WorkflowUpdateHandle<CiJobResult>[] = [];
  const started = new Set<string>();
  const stops = new Map<string, Promise<void>>();
  const stopNow = new Map<string, () => void>();
  const readyAtMs = new Map<number, number>();
  const jobLimitSpent = new Set<number>();
  const sent = new Set<JobEvent>();
  let slow = false;
  let begin: (handle: WorkflowHandle) => void = () => undefined;
  const workflow = new Promise<WorkflowHandle>((resolve) => (begin = resolve));

  const metrics = createFakeMetrics(history, obey, (what) => misdeeds.push(what));

  function planOf(attempt: number): MachinePlan {
    const plan = history.machines[attempt - 1];
    if (plan === undefined) throw ApplicationFailure.nonRetryable(`Machine ${String(attempt)} is one too many`);
    return plan;
  }

  const isFirst = () => Context.current().info.attempt === 1;

  function asked(attempt: number, what: string): void {
    if (!isFirst()) return;
    const call = `${String(attempt)} ${what}`;
    if (calls.includes(call)) misdeeds.push(`asked twice for ${call}`);
    if (released.includes(attempt) && what !== 'deliver' && what !== 'finish')
      misdeeds.push(`${call} after its release`);
    calls.push(call);
  }

  const pending = async () => (await (await workflow).describe()).raw.pendingActivities ?? [];

  /** A query sees what came before it: when it is answered, the workflow has taken notice. */
  const untilNoticed = async () => {
    await (await workflow).query(STATUS_QUERY);
  };

  /** @returns whether anything arrived */
  async function arrive(attempt: number, at: Point): Promise<boolean> {
    const due = eventsAt(history, attempt, at).filter((event) => !sent.has(event));
    for (const event of due) {
      sent.add(event);
      await send(event);
    }
    if (due.length > 0) await untilNoticed();
    return eventsAt(history, attempt, at).length > 0;
  }

  async function send({ kind }: JobEvent): Promise<void> {
    const handle = await workflow;
    switch (kind) {
      case 'cancel':
        await handle.cancel();
        break;
      case 'release':
        await handle.signal(RELEASE_SIGNAL);
        break;
      case 'ask for the result':
        answers.push(await handle.startUpdate<CiJobResult, []>(RESULT_UPDATE, { waitForStage: 'ACCEPTED' }));
        break;
      case 'coordinator cancels':
        await tell({ kind: 'cancelRequested', offset: 0 });
        break;
      case 'coordinator aborts':
        await tell({ kind: 'aborted', coordinatorState: 'failed' });
    }
  }

  async function tell(outcome: Parameters<FakeCoordinator['say']>[0]): Promise<void> {
    if (history.report === 'broken') return;
    const id = await coordinator.say(outcome);
    if (id === undefined) return;
    await until(
      'the end of the conversation',
      async () => !(await pending()).some(({ activityId }) => activityId === id),
    );
    await untilNoticed();
  }

  /** Asked for by the workflow, which has taken notice of everything so far. */
  async function isCanceled(): Promise<boolean> {
    const id = Context.current().info.activityId;
    return (await pending()).some(({ activityId, state }) => activityId === id && state === CANCEL_REQUESTED);
  }

  async function obey(): Promise<never> {
    await Context.current().cancelled;
    throw new CancelledFailure('unreachable');
  }

  function stopOf(key: string): Promise<void> {
    const known = stops.get(key);
    if (known !== undefined) return known;
    const stop = new Promise<void>((resolve) => stopNow.set(key, resolve));
    stops.set(key, stop);
    return stop;
  }

  async function isBeingStopped(key: string): Promise<boolean> {
    const asks = await pending();
    return calls.includes(key) || asks.some(({ activityType }) => activityType?.name === 'stopStep');
  }

  function checkTime(attempt: number, limitMs: number | undefined): void {
    if (limitMs !== undefined && Date.now() - Context.current().info.scheduledTimestampMs > limitMs * IN_TIME)
      slow = true;
    const ready = readyAtMs.get(attempt);
    if (!hasJobLimit(history) || jobLimitSpent.has(attempt) || ready === undefined) return;
    if (Date.now() - ready > JOB_LIMIT_MS * IN_TIME) slow = true;
  }

  async function provision(input: Parameters<Activities['provisionMachine']>[0]) {
    const { attempt } = input;
    const plan = planOf(attempt).provision;
    asked(attempt, 'provision');
    if (history.coordinator && attempt === 1 && isFirst()) await untilConversation();
    const canceled = (await arrive(attempt, 'provision')) && (await isCanceled());
    if (plan === 'half way' && isFirst()) throw new Error('the worker died');
    if (plan === 'broken') throw ApplicationFailure.nonRetryable('nobody knows why');
    if (canceled && plan !== 'ready anyway') return await obey();
    if (plan === 'no image') throw failure({ reason: 'image_pull_failure', message: 'no such image' });
    machines.push(attempt);
    readyAtMs.set(attempt, Date.now());
    return provisioned(input, {
      scriptTimeoutMs: hasLimit(history, attempt, 'script') ? LIMIT_MS : null,
      afterScriptTimeoutMs: hasLimit(history, attempt, 'after_script') ? LIMIT_MS / 4 : LONG_MS,
      metrics: {
        enabled: history.metrics !== 'off',
        graceMs: 300,
        giveUpAfterMs: history.metrics === 'failing' || history.metrics === 'hanging' ? 1_500 : LONG_MS,
      },
      // Long enough ago for its metrics to be worth their grace.
      readyAtMs: Date.now() - 10_000,
    });
  }

  /** So that it is known whether it goes on when something is said. */
  async function untilConversation(): Promise<void> {
    if (history.report === 'ok') {
      await coordinator.untilHeard();
      return;
    }
    await until('the failed conversation', async () =>
      (await pending()).every(({ activityType }) => activityType?.name !== 'reportToCoordinator'),
    );
    await untilNoticed();
  }

  async function runStep(machine: MachineRef & { step: string }): Promise<StepResult> {
    const { attempt } = machine;
    const step = machine.step as StepName;
    const plan: StepPlan = planOf(attempt)[step];
    const key = `${String(attempt)} stop ${step}`;
    const limitMs =
      step.startsWith('step_') && hasLimit(history, attempt, 'script')
        ? LIMIT_MS
        : step === 'after_script' && plan.end === 'longer than its limit'
          ? LIMIT_MS / 4
          : undefined;
    asked(attempt, step);
    if (isFirst() && started.has(`${machine.machine} ${step}`)) misdeeds.push(`${step} was started twice`);
    started.add(`${machine.machine} ${step}`);
    const arrived = await arrive(attempt, step);
    if (step !== 'after_script' || arrived) checkTime(attempt, limitMs);
    if (plan.end === 'worker lost' && isFirst()) throw new Error('the worker died');
    const stopped = plan.end.startsWith('longer') || (arrived && (await isBeingStopped(key)));
    if (!stopped) return endOf(plan);
    await Promise.race([stopOf(key), Context.current().cancelled]);
    if (plan.end === 'longer than the job') jobLimitSpent.add(attempt);
    return stopEndOf(plan);
  }

  async function stopStep({ attempt, step }: MachineRef & { step: string }): Promise<void> {
    asked(attempt, `stop ${step}`);
    if (planOf(attempt)[step as StepName].end === 'longer than the job') jobLimitSpent.add(attempt);
    await arrive(attempt, `stop ${step as StepName}`);
    if (planOf(attempt)[step as StepName].onStop === 'broken')
      throw ApplicationFailure.nonRetryable('it does not stop');
    const key = `${String(attempt)} stop ${step}`;
    void stopOf(key);
    stopNow.get(key)?.();
  }

  async function moveFiles(attempt: number, step: FilesStep): Promise<FilesResult> {
    asked(attempt, step);
    const canceled = (await arrive(attempt, step)) && (await isCanceled());
    if (canceled) return await obey();
    checkTime(attempt, undefined);
    const end = planOf(attempt)[step];
    if (end !== 'longer than the job') return filesEnd(end);
    jobLimitSpent.add(attempt);
    return await obey();
  }

  return {
    begin: (handle) => begin(handle),
    coordinator,
    calls,
    machines,
    released,
    reports,
    misdeeds,
    answers,
    metrics,
    slow: () => slow || metrics.slow(),
    behaviour: {
      provisionMachine: provision,
      runStep,
      stopStep,
      restoreCache: ({ attempt }) => moveFiles(attempt, 'restore_cache'),
      fetchDependencies: ({ attempt }) => moveFiles(attempt, 'fetch'),
      downloadArtifacts: ({ attempt }) => moveFiles(attempt, 'download_artifacts'),
      saveCache: ({ attempt }) => moveFiles(attempt, 'archive_cache'),
      uploadArtifacts: async ({ attempt }) => {
        const result = await moveFiles(attempt, 'upload_artifacts');
        return { ...result, artifacts: result.ok ? [artifact('archive')] : [] };
      },
      async releaseMachine({ attempt }) {
        if (isFirst()) released.push(attempt);
        await Promise.resolve();
        if (history.release === 'retried' && isFirst()) throw new Error('the engine is busy');
      },
      ...metrics.behaviour,
      async deliverArtifacts({ artifacts }) {
        if (artifacts.some(({ type }) => type === 'metrics_referee')) return await metrics.upload();
        const attempt = Math.max(...calls.map((call) => Number.parseInt(call)));
        asked(attempt, 'deliver');
        if ((await arrive(attempt, 'deliver')) && (await isCanceled())) return await obey();
        if (history.delivery === 'broken') throw ApplicationFailure.nonRetryable('it cannot be read');
        if (history.delivery === 'gave up') return { ok: false, text: '', gaveUp: 'it was away for too long' };
        return { ok: history.delivery === 'ok', text: '' };
      },
      async finishJob({ attempt, report, trace, text }) {
        asked(attempt, 'finish');
        if (isFirst()) reports.push(report);
        await arrive(attempt, 'finish');
        if (history.finish === 'retried' && isFirst()) throw new Error('the store is full');
        coordinator.stored(report.state);
        metrics.finished();
        return { traceBytes: trace.offset + text.length };
      },
      reportToCoordinator: () =>
        history.report === 'ok'
          ? coordinator.report()
          : Promise.reject(ApplicationFailure.nonRetryable('its token is gone')),
    },
  };
}

type FilesStep = 'restore_cache' | 'fetch' | 'download_artifacts' | 'archive_cache' | 'upload_artifacts';

function endOf({ end }: StepPlan): StepResult {
  if (end === 'broken') throw ApplicationFailure.nonRetryable('the engine is out of its mind');
  if (end === 'machine lost') return { kind: 'lost', reason: 'its container is gone', attempts: 1 };
  return exited(end === 'exit 1' ? 1 : end === 'exit 3' ? 3 : 0);
}

function stopEndOf({ onStop }: StepPlan): StepResult {
  if (onStop === 'exit 0') return exited(0);
  if (onStop === 'exit 143') return exited(143);
  return { kind: 'stopped', startedAtMs: Date.now(), finishedAtMs: Date.now(), attempts: 1 };
}

function filesEnd(end: Exclude<FilesEnd, 'longer than the job'>): FilesResult {
  if (end === 'broken') throw ApplicationFailure.nonRetryable('the disk is gone');
  if (end === 'retried' && Context.current().info.attempt === 1) throw new Error('the store is busy');
  const now = Date.now();
  return { ok: end !== 'not ok', text: '', startedAtMs: now, finishedAtMs: now, attempts: 1 };
}

function artifact(type: string): ArtifactStatus {
  return { name: type, type, format: 'zip', bytes: 1, files: 1, key: `some/${type}` };
}

function failure(details: FailureDetails): ApplicationFailure {
  return ApplicationFailure.create({ message: 'failed', nonRetryable: true, details: [details] });
}
