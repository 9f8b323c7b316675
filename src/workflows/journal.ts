import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { ArtifactStatus, CiJobResult, JobStatus, StepStatus } from '../contracts/ci-job.js';
import type { JobSpec } from '../contracts/job-spec.js';
import type { SEARCH_ATTRIBUTES } from '../contracts/names.js';
import { isFinalJobState, metricsWords, shortJobId, type JobState, type MetricsState } from '../contracts/names.js';
import type { Provisioned, StageTime } from '../contracts/activities.js';
import { finalState, isAllowedToFail, type Outcome } from './outcome.js';

/** What is known of the job, for the `status` query, the search attributes and the current details in the Temporal UI. */
export interface Journal {
  readonly status: JobStatus;
  preparing(attempt: number): void;
  /** Provisioning has begun and takes longer than a moment (an image is being pulled). */
  machineFound(): void;
  running(machine: Provisioned): void;
  finishing(): void;
  stepStarted(name: string): void;
  stepEnded(name: string, state: StepStatus['state'], facts: StepFacts): void;
  artifacts(list: ArtifactStatus[]): void;
  /** What the final status will be, for whoever has to keep it before it is decided. */
  preview(outcome: Outcome): JobStatus;
  /** The final status. After this only the metrics still change. */
  decided(outcome: Outcome, traceBytes: number): CiJobResult;
  metrics(state: MetricsState, reason: string | null, flags?: string[]): void;
  /** The machine is kept for debugging until then; undefined: no longer. */
  held(untilMs: number | undefined): void;
  /** Added to the summary for people. */
  note(text: string): void;
  stages(): StageTime[];
  result(): CiJobResult | undefined;
}

export interface StepFacts {
  exitCode?: number | null;
  startedAtMs?: number | null;
  finishedAtMs?: number | null;
  attempts?: number;
  oomKilled?: boolean;
}

type AttributeName = keyof typeof SEARCH_ATTRIBUTES;

export function openJournal(spec: JobSpec, steps: readonly string[]): Journal {
  const { workflowId, startTime } = workflowInfo();
  let result: CiJobResult | undefined;
  /** What the summary is made of beside the metrics. Apart, since each of them changes without the others. */
  let sentence = '';
  let notes = '';
  const status: JobStatus = {
    id: shortJobId(workflowId),
    workflowId,
    name: spec.name,
    project: spec.project,
    pool: spec.pool,
    summary: '',
    state: 'pending',
    failureReason: null,
    failureMessage: null,
    exitCode: null,
    allowedToFail: false,
    metrics: 'pending',
    metricsReason: null,
    machine: null,
    engine: null,
    image: null,
    queuedAt: startTime.toISOString(),
    startedAt: null,
    finishedAt: null,
    heldUntil: null,
    traceBytes: 0,
    attempts: 0,
    steps: steps.map((name) => newStep(name)),
    artifacts: [],
  };

  function tell(state: JobState, told: string): void {
    status.state = state;
    sentence = told;
    compose();
  }

  /** @param aside what the summary does not say, for it is soon over */
  function compose(aside = ''): void {
    const metrics = isFinalJobState(status.state) ? metricsWords(status.metrics, status.metricsReason) : '';
    status.summary = `${sentence}${notes}${metrics}`;
    setCurrentDetails(`${status.summary}${aside}${holdWords(status)}`);
  }

  function step(name: string): StepStatus {
    const found = status.steps.find((entry) => entry.name === name);
    if (found !== undefined) return found;
    const added = newStep(name);
    status.steps.push(added);
    return added;
  }

  /** What the end of the job makes of its status. */
  function conclusion(outcome: Outcome): Partial<JobStatus> {
    return {
      state: finalState(outcome),
      summary: `${describeEnd(outcome)}${metricsWords(status.metrics, status.metricsReason)}`,
      failureReason: failureReasonOf(outcome),
      failureMessage: outcome.kind === 'success' ? null : outcome.message,
      exitCode: exitCodeOf(outcome),
      allowedToFail: isAllowedToFail(spec, outcome),
      finishedAt: nowIso(),
      steps: status.steps.map((entry) => (entry.state === 'pending' ? { ...entry, state: 'skipped' } : entry)),
    };
  }

  return {
    status,
    preparing(attempt) {
      status.attempts = attempt;
      status.steps = steps.map((name) => newStep(name));
      tell('pending', `Waiting for a machine of pool "${spec.pool}".`);
      if (attempt === 1) {
        upsert({
          HoldfastJobState: 'pending',
          HoldfastProject: spec.project,
          HoldfastPool: spec.pool,
          HoldfastMetrics: 'pending',
        });
      }
    },
    machineFound() {
      if (status.state !== 'pending') return;
      tell('preparing', 'A machine is being prepared: images, network, services.');
      upsert({ HoldfastJobState: 'preparing' });
    },
    running(machine) {
      status.machine = machine.machine;
      status.engine = machine.engine;
      status.image = machine.image;
      status.startedAt ??= nowIso();
      tell('running', `Running on machine ${machine.machine} of engine ${machine.engine}.`);
      upsert({ HoldfastJobState: 'running', HoldfastMachine: machine.machine });
    },
    finishing() {
      tell('finishing', 'The script has ended; uploads, the rest of the trace and the final status are under way.');
      upsert({ HoldfastJobState: 'finishing' });
    },
    stepStarted(name) {
      const entry = step(name);
      entry.state = 'running';
      entry.startedAt = nowIso();
      compose(` Step ${name} runs.`);
    },
    stepEnded(name, state, facts) {
      const entry = step(name);
      entry.state = state;
      if (facts.startedAtMs != null) entry.startedAt = new Date(facts.startedAtMs).toISOString();
      entry.finishedAt = facts.finishedAtMs == null ? nowIso() : new Date(facts.finishedAtMs).toISOString();
      entry.exitCode = facts.exitCode ?? null;
      entry.attempts = facts.attempts ?? entry.attempts;
      if (facts.oomKilled === true) entry.oomKilled = true;
    },
    artifacts(list) {
      status.artifacts = list;
    },
    preview: (outcome) => ({ ...status, ...conclusion(outcome) }),
    decided(outcome, traceBytes) {
      const state = finalState(outcome);
      Object.assign(status, conclusion(outcome), { traceBytes });
      tell(state, describeEnd(outcome));
      upsert({
        HoldfastJobState: state,
        ...(status.failureReason === null ? {} : { HoldfastFailureReason: status.failureReason }),
        ...(status.metrics === 'pending' ? {} : { HoldfastMetrics: status.metrics }),
      });
      result = {
        workflowId,
        state,
        failureReason: status.failureReason,
        failureMessage: status.failureMessage,
        exitCode: status.exitCode,
        allowedToFail: status.allowedToFail,
        metrics: status.metrics,
        traceBytes,
      };
      return result;
    },
    metrics(state, reason, flags = []) {
      const changed = status.metrics !== state;
      status.metrics = state;
      status.metricsReason = reason;
      if (result !== undefined) {
        result = { ...result, metrics: state };
        compose();
      }
      // Before the decision the state goes out with the final one: an event saved for each job.
      if (changed && isFinalJobState(status.state)) upsert({ HoldfastMetrics: state });
      if (flags.length > 0) upsertSearchAttributes([flagsAttribute(flags)]);
    },
    held(untilMs) {
      status.heldUntil = untilMs === undefined ? null : new Date(untilMs).toISOString();
      compose();
    },
    note(text) {
      notes += ` ${text}`;
      compose();
    },
    stages: () =>
      status.steps.flatMap((entry) =>
        entry.startedAt !== null && entry.finishedAt !== null
          ? [{ name: entry.name, startedAtMs: Date.parse(entry.startedAt), finishedAtMs: Date.parse(entry.finishedAt) }]
          : [],
      ),
    result: () => result,
  };
}

function newStep(name: string): StepStatus {
  return { name, state: 'pending', startedAt: null, finishedAt: null, exitCode: null, attempts: 0 };
}

function failureReasonOf(outcome: Outcome): JobStatus['failureReason'] {
  if (outcome.kind === 'failed') return outcome.reason;
  return outcome.kind === 'canceled' ? 'job_canceled' : null;
}

function exitCodeOf(outcome: Outcome): number | null {
  if (outcome.kind === 'success') return 0;
  return outcome.kind === 'failed' ? outcome.exitCode : null;
}

function describeEnd(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'success':
      return 'The job succeeded.';
    case 'failed':
      return `The job failed: ${outcome.message}.`;
    case 'canceled':
      return 'The job was canceled.';
  }
}

function holdWords({ heldUntil, id }: JobStatus): string {
  if (heldUntil === null) return '';
  return ` Its machine is held until ${heldUntil}: holdfast shell ${id}, holdfast release ${id}.`;
}

export function upsert(values: Partial<Record<Exclude<AttributeName, 'HoldfastFlags'>, string>>): void {
  const pairs: SearchAttributePair[] = Object.entries(values).map(([name, value]) => ({
    key: defineSearchAttributeKey(name, 'KEYWORD'),
    value,
  }));
  upsertSearchAttributes(pairs);
}

/** Rules of `metrics.rules` that a job has met. */
export function flagsAttribute(flags: string[]): SearchAttributePair {
  return { key: defineSearchAttributeKey('HoldfastFlags', 'KEYWORD_LIST'), value: flags };
}

function nowIso(): string {
  return new Date().toISOString();
}
