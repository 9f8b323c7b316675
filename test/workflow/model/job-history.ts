import fc from 'fast-check';

/** What a container step does when nothing stops it. */
export type StepEnd =
  | 'exit 0'
  | 'exit 1'
  | 'exit 3'
  /** Its first delivery fails, as of a worker that died; the second attaches and reads exit code 0. */
  | 'worker lost'
  | 'machine lost'
  /** The activity fails for good: nobody can say what became of the step. */
  | 'broken'
  | 'longer than its limit'
  | 'longer than the job';

/** What a step says once it was stopped. `broken`: it cannot be stopped. */
export type StopEnd = 'stopped' | 'exit 0' | 'exit 143' | 'broken';

export interface StepPlan {
  end: StepEnd;
  onStop: StopEnd;
}

/** `longer than the job`: of those that keep files only with a coordinator, since nothing ends them in a job of our own. */
export type FilesEnd = 'ok' | 'not ok' | 'broken' | 'retried' | 'longer than the job';

export interface MachinePlan {
  /** `half way`: the first delivery dies when the machine is half made. `ready anyway`: it does not hear of a cancel. */
  provision: 'ok' | 'ready anyway' | 'half way' | 'no image' | 'broken';
  get_sources: StepPlan;
  restore_cache: FilesEnd;
  fetch: FilesEnd;
  download_artifacts: FilesEnd;
  step_script: StepPlan;
  step_release: StepPlan;
  after_script: StepPlan;
  archive_cache: FilesEnd;
  upload_artifacts: FilesEnd;
}

/** Where a job stands when something arrives: while that activity runs. */
export const POINTS = [
  'provision',
  'get_sources',
  'restore_cache',
  'fetch',
  'download_artifacts',
  'step_script',
  'step_release',
  'after_script',
  'stop get_sources',
  'stop step_script',
  'stop step_release',
  'stop after_script',
  'archive_cache',
  'upload_artifacts',
  'deliver',
  'finish',
] as const;
export type Point = (typeof POINTS)[number];

export interface JobEvent {
  attempt: number;
  at: Point;
  kind: 'cancel' | 'coordinator cancels' | 'coordinator aborts' | 'release' | 'ask for the result';
}

/** Everything that decides how a job goes. */
export interface JobHistory {
  coordinator: boolean;
  sources: boolean;
  cache: boolean;
  /** With a coordinator only, as the second main step. */
  dependencies: boolean;
  secondStep: boolean;
  services: boolean;
  afterScript: boolean;
  artifacts: boolean;
  retry: { max: number; when: ('always' | 'script_failure' | 'runner_system_failure' | 'job_execution_timeout')[] };
  interruptible: boolean;
  allowFailure: 'no' | 'yes' | 'exit code 3';
  hold: 'no' | 'for a moment' | 'until released';
  machines: MachinePlan[];
  metrics: 'good' | 'off' | 'failing' | 'hanging' | 'late';
  metricsUpload: 'ok' | 'broken' | 'hanging';
  delivery: 'ok' | 'refused' | 'broken' | 'gave up';
  report: 'ok' | 'broken';
  finish: 'ok' | 'retried';
  release: 'ok' | 'retried';
  events: JobEvent[];
}

/** A job uses at most so many machines: one, and two more. */
const MACHINES = 3;

/** Mostly the first, so that histories go far. */
function mostly<T>(weight: number, usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
}

const filesIn = mostly<FilesEnd>(12, 'ok', 'not ok', 'broken', 'retried', 'longer than the job');
const filesOut = mostly<FilesEnd>(8, 'ok', 'not ok', 'broken', 'retried');

function stepPlan(usual: fc.Arbitrary<StepEnd>): fc.Arbitrary<StepPlan> {
  return fc.record({ end: usual, onStop: mostly<StopEnd>(2, 'stopped', 'exit 0', 'exit 143', 'broken') });
}

const ANY_END: StepEnd[] = [
  'exit 1',
  'exit 3',
  'worker lost',
  'machine lost',
  'broken',
  'longer than its limit',
  'longer than the job',
];

const machinePlan: fc.Arbitrary<MachinePlan> = fc.record({
  provision: mostly<MachinePlan['provision']>(
    3,
    'ok',
    'ready anyway',
    'ready anyway',
    'half way',
    'no image',
    'broken',
  ),
  // There is no limit for it alone.
  get_sources: stepPlan(mostly<StepEnd>(8, 'exit 0', ...ANY_END.filter((end) => end !== 'longer than its limit'))),
  restore_cache: filesIn,
  fetch: filesIn,
  download_artifacts: filesIn,
  step_script: stepPlan(mostly<StepEnd>(1, 'exit 0', ...ANY_END)),
  step_release: stepPlan(mostly<StepEnd>(2, 'exit 0', ...ANY_END)),
  after_script: stepPlan(mostly<StepEnd>(2, 'exit 0', ...ANY_END)),
  archive_cache: filesOut,
  upload_artifacts: filesOut,
});

const event: fc.Arbitrary<JobEvent> = fc.record({
  attempt: mostly(3, 1, 2, 3),
  // The one point that every machine comes by, and where most can go wrong.
  at: fc.constantFrom('provision', 'provision', ...POINTS),
  kind: fc.constantFrom(
    'cancel',
    'cancel',
    'coordinator cancels',
    'coordinator aborts',
    'release',
    'ask for the result',
  ),
});

export const jobHistory: fc.Arbitrary<JobHistory> = fc
  .record<JobHistory>({
    coordinator: fc.boolean(),
    sources: fc.boolean(),
    cache: fc.boolean(),
    dependencies: fc.boolean(),
    secondStep: fc.boolean(),
    services: fc.boolean(),
    afterScript: mostly(2, true, false),
    artifacts: fc.boolean(),
    retry: fc.record({
      max: fc.constantFrom(0, 1, 2),
      when: fc.uniqueArray(
        fc.constantFrom('always', 'script_failure', 'runner_system_failure', 'job_execution_timeout'),
        { maxLength: 2 },
      ),
    }),
    interruptible: fc.boolean(),
    allowFailure: fc.constantFrom('no', 'yes', 'exit code 3'),
    hold: mostly<JobHistory['hold']>(2, 'no', 'for a moment', 'until released'),
    machines: fc.array(machinePlan, { minLength: MACHINES, maxLength: MACHINES }),
    metrics: fc.constantFrom('good', 'off', 'failing', 'hanging', 'late'),
    metricsUpload: fc.constantFrom('ok', 'broken', 'hanging'),
    delivery: mostly<JobHistory['delivery']>(2, 'ok', 'refused', 'broken', 'gave up'),
    report: mostly<JobHistory['report']>(6, 'ok', 'broken'),
    finish: mostly<JobHistory['finish']>(4, 'ok', 'retried'),
    release: mostly<JobHistory['release']>(4, 'ok', 'retried'),
    events: fc.array(event, { maxLength: 4 }),
  })
  .map(withoutContradictions);

/** Only a coordinator has archives of other jobs, a second step, and something to say. */
function withoutContradictions(given: JobHistory): JobHistory {
  const history = { ...given, machines: given.machines.map(withOneLimit) };
  if (history.coordinator) return history;
  return {
    ...history,
    dependencies: false,
    secondStep: false,
    events: history.events.filter(({ kind }) => !kind.startsWith('coordinator')),
  };
}

/** A step that outlasts the job has no limit of its own to meet before, and the job's time is over once. */
function withOneLimit(plan: MachinePlan): MachinePlan {
  const steps = [plan.get_sources, plan.step_script, plan.step_release];
  if (!steps.some(({ end }) => end === 'longer than the job')) return plan;
  const once = (step: StepPlan, from: StepEnd, to: StepEnd) => (step.end === from ? { ...step, end: to } : step);
  return {
    ...plan,
    step_script: once(plan.step_script, 'longer than its limit', 'longer than the job'),
    step_release: once(plan.step_release, 'longer than its limit', 'longer than the job'),
    after_script: once(plan.after_script, 'longer than the job', 'longer than its limit'),
  };
}

export function eventsAt(history: JobHistory, attempt: number, at: Point): JobEvent[] {
  return history.events.filter((entry) => entry.attempt === attempt && entry.at === at);
}

/** Steps that are to run into their own limit, unless something else ends them first. */
export function hasLimit(history: JobHistory, attempt: number, step: 'script' | 'after_script'): boolean {
  const plan = history.machines[attempt - 1];
  if (plan === undefined) return false;
  const steps = step === 'script' ? (['step_script', 'step_release'] as const) : (['after_script'] as const);
  return steps.some((name) => plan[name].end === 'longer than its limit');
}

export function hasJobLimit({ machines }: JobHistory): boolean {
  return machines.some((plan) => [...stepsOf(plan), ...filesOf(plan)].includes('longer than the job'));
}

function stepsOf(plan: MachinePlan): StepEnd[] {
  return [plan.get_sources, plan.step_script, plan.step_release, plan.after_script].map(({ end }) => end);
}

function filesOf(plan: MachinePlan): FilesEnd[] {
  return [plan.restore_cache, plan.fetch, plan.download_artifacts, plan.archive_cache, plan.upload_artifacts];
}
