import type { ArtifactStatus, Coordinator, JobStatus, ReplayMetricsInput, ReplayMetricsResult } from './ci-job.js';
import type { JobSpec } from './job-spec.js';
import type { FailureReason, FinalJobState, MetricsState } from './names.js';

/**
 * What workflows ask of activities. Inputs are small on purpose: scripts, variables and masks are compiled once, by
 * `provisionMachine`, into the sealed plan in the store, and every later activity reads them there (law 2: no bytes and no
 * secrets in history).
 *
 * Every activity may be delivered again, and two deliveries may overlap; each one says how it stays harmless.
 */
export interface Activities {
  /** Pool queue. Idempotent by machine name, which is derived from the job and the attempt. */
  provisionMachine(input: ProvisionInput): Promise<Provisioned>;
  /** Engine queue. Runs the step's script at most once; a repeated delivery attaches or reads the exit. */
  runStep(input: StepInput): Promise<StepResult>;
  /** Engine queue. Harmless at any time. Returns when the step's container has stopped. */
  stopStep(input: StopStepInput): Promise<void>;
  /** Engine queue. Writes one part of the trace at its offset; the same bytes at every delivery. */
  streamTrace(input: StreamTraceInput): Promise<TracePosition>;
  /** Engine queue. Unpacks over what is there; harmless before the script has started. */
  restoreCache(input: StepInput): Promise<FilesResult>;
  /** Coordinator queue. Archives of other jobs, to the store; what is there already stays. */
  fetchDependencies(input: FetchInput): Promise<DeliverResult>;
  /** Engine queue. As `restoreCache`, with what `fetchDependencies` has put into the store. */
  downloadArtifacts(input: StepInput): Promise<FilesResult>;
  /** Engine queue. Replaces the cache atomically; not when the attempt was overtaken meanwhile. */
  saveCache(input: FilesInput): Promise<FilesResult>;
  /** Engine queue. Spools each artifact, every attempt under a name of its own: the ones that it returns stay as they are. */
  uploadArtifacts(input: FilesInput): Promise<UploadResult>;
  /** Engine queue. Removes the machine; legal at any time, also when it was never made. */
  releaseMachine(input: MachineRef): Promise<void>;
  /**
   * Control queue. One document a job; a repeated delivery writes the same one again. The first collection of two (`early`) spools
   * the coordinator's artifact once: a repeated delivery finds it there.
   */
  collectMetrics(input: CollectMetricsInput): Promise<MetricsResult>;
  /** Control queue. As `collectMetrics`, for a job that is over; everything it needs is in the store. */
  replayJobMetrics(input: ReplayMetricsInput): Promise<ReplayMetricsResult>;
  /** Control queue. Writes the end of the trace and the report; the same bytes at every delivery. */
  finishJob(input: FinishJobInput): Promise<{ traceBytes: number }>;
  /** Coordinator queue. Trace by offset, keep-alive, cancel, final status. */
  reportToCoordinator(input: ReportInput): Promise<ReportOutcome>;
  /** Coordinator queue. Sends spooled files, in order, until the coordinator has each or will never take it. */
  deliverArtifacts(input: DeliverInput): Promise<DeliverResult>;
}

export interface JobRef {
  workflowId: string;
  /** Which machine of the job, from 1. */
  attempt: number;
}

export interface MachineRef extends JobRef {
  engine: string;
  machine: string;
}

export interface ProvisionInput extends JobRef {
  spec: JobSpec;
  coordinator?: Coordinator;
  /** Of the workflow: the same after a reset, another one when somebody has used its id again. Absent: of an earlier release. */
  firstRunId?: string;
  /** Unguessable and durable: marks the borders of the steps in the container's log. */
  nonce: string;
  trace: TracePosition;
  /** Text of the trace before the machine is there (attempt 2: what happened to the first). */
  prelude: string;
  queuedAtMs: number;
}

export interface MachineLabel {
  name: string;
  value: string;
}

export interface Provisioned extends MachineRef {
  image: string;
  warm: boolean;
  trace: TracePosition;
  /** Goes to the trace before the first step. */
  notes: string;
  metrics: {
    enabled: boolean;
    graceMs: number;
    giveUpAfterMs: number;
    /** By which Prometheus knows the machine. Absent: an older worker made the machine, and left it to whoever collects. */
    label?: MachineLabel;
  };
  scriptTimeoutMs: number | null;
  afterScriptTimeoutMs: number;
  /** What the job's variable asks for; 0: no hold. Absent: an older worker made the machine, and left the variable to the workflow. */
  holdOnFailureMs?: number;
  /** When its making began: where the metrics' window begins. */
  provisioningAtMs: number;
  /** When the machine was there. */
  readyAtMs: number;
  /** Of its build container; null: none. */
  limits: { cpus: number | null; memoryBytes: number | null };
}

export interface StepInput extends MachineRef {
  step: string;
  environment: Record<string, string>;
  /** The engine may be out of reach for so long before its machine counts as lost. Absent: as long as the step has time. */
  patienceMs?: number;
}

export type StepResult =
  | {
      kind: 'exited';
      exitCode: number;
      oomKilled: boolean;
      startedAtMs: number;
      finishedAtMs: number;
      attempts: number;
    }
  | { kind: 'stopped'; startedAtMs: number | null; finishedAtMs: number | null; attempts: number }
  /** `mistake`: the machine is whole, but what the job asks for can be started on none. Only said by the workflow. */
  | { kind: 'lost'; reason: string; attempts: number; mistake?: boolean };

export interface StopStepInput extends MachineRef {
  step: string;
  graceMs: number;
}

/** Where the trace stands after a part. `part` counts the parts; over the limit the limiter's state is in the store. */
export interface TracePosition {
  part: number;
  /** Bytes of the head in the store. */
  offset: number;
  overLimit: boolean;
  /**
   * True: an activity that was cut off may have written more than `offset` says; the next part begins at the real end, which it
   * makes durable first.
   */
  uncertain?: boolean;
}

/** `details[0]` of every failure that an activity throws on purpose. Details are encrypted; messages are not, so they say less. */
export interface FailureDetails {
  reason: FailureReason;
  /** What the job's trace and status may show. */
  message: string;
  trace?: TracePosition;
}

export interface StreamTraceInput extends MachineRef {
  from: TracePosition;
  /** Written before the step's output. */
  prelude: string;
  /** Absent: the part is its prelude alone. */
  step?: { name: string; title: string };
}

export interface FilesInput extends MachineRef {
  step: string;
  /** Which entries apply: those for success or those for failure. */
  jobSucceeded: boolean;
}

export interface FilesResult {
  ok: boolean;
  /** Lines for the trace, each ended by a newline. */
  text: string;
  startedAtMs: number;
  finishedAtMs: number;
  attempts: number;
}

export interface UploadResult extends FilesResult {
  artifacts: ArtifactStatus[];
}

export interface StageTime {
  name: string;
  startedAtMs: number;
  finishedAtMs: number;
}

export interface CollectMetricsInput extends JobRef {
  machine: string;
  engine: string;
  /** By which Prometheus knows the machine: any worker may collect, also one that has not its engine. */
  label?: MachineLabel;
  name: string;
  project: string;
  window: { startMs: number; endMs: number };
  stages: StageTime[];
  limits: Provisioned['limits'];
  /** Steps whose container was killed by the kernel for its memory. */
  oomKills: number;
  /** There is a coordinator; whether it has the artifact stands in the document. */
  toCoordinator: boolean;
  /**
   * The first of two collections: with the samples that are there now, and of them the coordinator's artifact, which the workflow
   * sends while the job is still open there. The second one completes the document.
   */
  early?: true;
  /** When the early one gives up, by the clock of Temporal's server; see `DeliverInput`. */
  untilMs?: number;
}

export interface MetricsResult {
  state: MetricsState;
  outcome: 'uploaded' | 'stored' | 'no_samples' | 'failed';
  reason: string;
  flags: string[];
  /** GitLab's `metrics_referee`, in the store; only of an early collection that found samples. */
  artifact?: ArtifactStatus;
  /** Of an early collection: its time is over; another one may yet succeed. */
  late?: true;
}

export interface FinishJobInput extends JobRef {
  trace: TracePosition;
  /** The last lines. */
  text: string;
  report: JobReport;
  /** Kept in the store: a closed job is shown without a worker that could replay it. */
  status: JobStatus;
  pool: string;
  source: 'gitlab' | 'client';
  times: { queuedAtMs: number; startedAtMs: number | null; finishedAtMs: number };
  stages: StageTime[];
}

export interface JobReport {
  state: FinalJobState;
  failureReason: FailureReason | null;
  exitCode: number | null;
}

export interface DeliverInput {
  workflowId: string;
  coordinator: Coordinator;
  artifacts: ArtifactStatus[];
  /** Nothing is sent any more after this moment, by the clock of Temporal's server. Absent: as long as the coordinator keeps the job. */
  untilMs?: number;
  /** The same as a time from the activity's start; of jobs that an older release has begun. */
  limitMs?: number;
}

export interface FetchInput extends JobRef {
  coordinator: Coordinator;
}

export interface DeliverResult {
  /** The coordinator has all of them. */
  ok: boolean;
  /** It has been away for longer than it keeps a job open: a sentence. They stay in the store. */
  gaveUp?: string;
  /** The time that it was given is over; the coordinator may yet take them. */
  late?: true;
  /** It refuses them as of a job that is over there. `as`: how, where it says so; then that is certain. Never said by older workers. */
  ended?: { as: string | null };
  /** Lines for the trace, each ended by a newline. */
  text: string;
}

export interface ReportInput {
  workflowId: string;
  coordinator: Coordinator;
  /** The coordinator asked to cancel and the job is doing so: do not report it again. */
  cancelAcknowledged: boolean;
  /** Where the coordinator's copy of the trace ended when an earlier conversation did; a hint, 0 is always right. */
  offset?: number;
}

export type ReportOutcome =
  /** The coordinator took the final status (or had it already). */
  | { kind: 'delivered'; coordinatorState: string }
  | { kind: 'cancelRequested'; offset: number }
  /** The coordinator ended the job by itself, or does not know it any more. */
  | { kind: 'aborted'; coordinatorState: string | null }
  /** It was away for longer than it keeps a job open. Everything is in the store. */
  | { kind: 'undelivered'; reason: string };
