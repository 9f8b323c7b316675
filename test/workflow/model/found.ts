import type { JobEvent, JobHistory, MachinePlan, StepEnd, StopEnd } from './job-history.js';

/** A history that once went wrong, or that chance brings too seldom, and how it must end. */
export interface Found {
  name: string;
  history: JobHistory;
  ends: { state: string; failureReason: string | null; told?: string; machines: number[] };
}

const step = (end: StepEnd = 'exit 0', onStop: StopEnd = 'stopped') => ({ end, onStop });

const GOOD_MACHINE: MachinePlan = {
  provision: 'ok',
  get_sources: step(),
  restore_cache: 'ok',
  fetch: 'ok',
  download_artifacts: 'ok',
  step_script: step(),
  step_release: step(),
  after_script: step(),
  archive_cache: 'ok',
  upload_artifacts: 'ok',
};

const PLAIN: JobHistory = {
  coordinator: false,
  sources: false,
  cache: false,
  dependencies: false,
  secondStep: false,
  services: false,
  afterScript: false,
  artifacts: false,
  retry: { max: 0, when: [] },
  interruptible: false,
  allowFailure: 'no',
  hold: 'no',
  machines: [GOOD_MACHINE, GOOD_MACHINE, GOOD_MACHINE],
  metrics: 'good',
  metricsUpload: 'ok',
  delivery: 'ok',
  report: 'ok',
  finish: 'ok',
  release: 'ok',
  events: [],
};

function plain(changes: Partial<JobHistory>, first: Partial<MachinePlan> = {}): JobHistory {
  return { ...PLAIN, ...changes, machines: [{ ...GOOD_MACHINE, ...first }, GOOD_MACHINE, GOOD_MACHINE] };
}

const first = (at: JobEvent['at'], kind: JobEvent['kind']): JobEvent => ({ attempt: 1, at, kind });

export const FOUND: Found[] = [
  {
    name: 'a cancel that comes while a time limit stops the script does not let the job run again',
    history: plain(
      { afterScript: true, retry: { max: 1, when: [] }, events: [first('stop step_script', 'cancel')] },
      { step_script: step('longer than its limit') },
    ),
    ends: { state: 'canceled', failureReason: 'job_canceled', machines: [1] },
  },
  {
    name: 'a coordinator that gives a job up while a cancel stops it ends it at once',
    history: plain({
      coordinator: true,
      afterScript: true,
      artifacts: true,
      events: [first('step_script', 'coordinator cancels'), first('stop step_script', 'coordinator aborts')],
    }),
    ends: { state: 'canceled', failureReason: 'job_canceled', machines: [1] },
  },
  {
    name: 'the next machine has its own time when a job without after_script was too slow on the first',
    history: plain(
      { retry: { max: 1, when: ['job_execution_timeout'] } },
      { step_script: step('longer than the job') },
    ),
    ends: { state: 'success', failureReason: null, machines: [1, 2] },
  },
  {
    name: 'a machine that is out of reach after the script takes its artifacts with it, which is no success',
    history: plain({ afterScript: true, artifacts: true }, { after_script: step('broken') }),
    ends: { state: 'failed', failureReason: 'runner_system_failure', machines: [1] },
  },
  {
    name: 'a coordinator’s job whose time is over in after_script, and its files with it, is told so',
    history: plain(
      { coordinator: true, afterScript: true, artifacts: true },
      { after_script: step('longer than the job') },
    ),
    ends: { state: 'failed', failureReason: 'job_execution_timeout', told: 'failed', machines: [1] },
  },
  {
    name: 'a cancel while its cache comes ends a job that has not begun: no script, no after_script, nothing kept',
    history: plain({ cache: true, afterScript: true, artifacts: true, events: [first('restore_cache', 'cancel')] }),
    ends: { state: 'canceled', failureReason: 'job_canceled', machines: [1] },
  },
  {
    name: 'a cancel while archives of other jobs are unpacked does the same',
    history: plain({
      coordinator: true,
      dependencies: true,
      afterScript: true,
      artifacts: true,
      events: [first('download_artifacts', 'coordinator cancels')],
    }),
    ends: { state: 'canceled', failureReason: 'job_canceled', told: 'canceled', machines: [1] },
  },
  {
    name: 'a job whose time is over while its cache comes has no script to clean up after',
    history: plain({ cache: true, afterScript: true, artifacts: true }, { restore_cache: 'longer than the job' }),
    ends: { state: 'failed', failureReason: 'job_execution_timeout', machines: [1] },
  },
  {
    name: 'a coordinator’s job whose time is over while its files are kept is told so',
    history: plain({ coordinator: true, cache: true, artifacts: true }, { archive_cache: 'longer than the job' }),
    ends: { state: 'failed', failureReason: 'job_execution_timeout', told: 'failed', machines: [1] },
  },
  {
    name: 'a coordinator that gives a job up while its files are kept ends that',
    history: plain({
      coordinator: true,
      cache: true,
      artifacts: true,
      events: [first('archive_cache', 'coordinator aborts')],
    }),
    ends: { state: 'canceled', failureReason: 'job_canceled', machines: [1] },
  },
  {
    name: 'a cancel while files are kept comes too late to keep them away',
    history: plain({ cache: true, artifacts: true, events: [first('archive_cache', 'cancel')] }),
    ends: { state: 'success', failureReason: null, machines: [1] },
  },
  {
    name: 'a cancel is a cancel, also when the machine’s making breaks under it',
    history: plain({ events: [first('provision', 'cancel')] }, { provision: 'broken' }),
    ends: { state: 'canceled', failureReason: 'job_canceled', machines: [] },
  },
  {
    name: 'a machine that is ready just when its job is canceled is released',
    history: plain({ events: [first('provision', 'cancel')] }, { provision: 'ready anyway' }),
    ends: { state: 'canceled', failureReason: 'job_canceled', machines: [1] },
  },
  {
    name: 'no final status goes out after artifacts that could not be delivered',
    history: plain({ coordinator: true, artifacts: true, delivery: 'gave up' }),
    ends: { state: 'success', failureReason: null, machines: [1] },
  },
  {
    name: 'metrics of an earlier machine that cannot be sent keep no job open',
    history: plain(
      { coordinator: true, retry: { max: 1, when: [] }, metricsUpload: 'hanging' },
      { step_script: step('exit 1') },
    ),
    ends: { state: 'success', failureReason: null, told: 'success', machines: [1, 2] },
  },
  {
    name: 'metrics that are being sent when their machine is lost after the script keep no job open',
    history: plain(
      { coordinator: true, artifacts: true, interruptible: true, metricsUpload: 'hanging' },
      { upload_artifacts: 'broken' },
    ),
    ends: { state: 'success', failureReason: null, told: 'success', machines: [1, 2] },
  },
];
