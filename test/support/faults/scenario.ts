import type { JobHandle } from '../../../src/client.js';
import type { CiJobResult, JobStatus } from '../../../src/contracts/ci-job.js';
import type { CoordinatorJob, JobOptions } from '../coordinator/job.js';
import type { Stack } from '../stack.js';
import type { GitlabSide, Ground } from './ground.js';
import type { NumberedJob, numberedJob, Tally } from './numbered-job.js';

/** One fault, put into a running stack while a job runs. */
export interface Scenario {
  /** A sentence: what is broken, and when. */
  name: string;
  job?: Parameters<typeof numberedJob>[0];
  /** How many such jobs run at the same time; default 1. The scene shows the first; the figures are of all. */
  jobs?: number;
  /** The job comes from the coordinator. */
  gitlab?: JobOptions;
  /** Why it cannot be played on this machine: said, and left out. */
  cannot?(): string | undefined;
  /** Before the job starts. */
  prepare?(ground: Ground): void | Promise<void>;
  /** Breaks something, repairs it, and says when it is whole again; the job goes on meanwhile. */
  run(scene: Scene): Promise<void>;
  /** After the jobs' results, before the figures are taken. */
  after?(scene: Scene, result: CiJobResult | undefined): Promise<void>;
  expect?: Expectation;
  /** Where the trace may stand still for longer after the repair than after most faults. */
  standstill?: Standstill;
}

/** More than this is a broken promise. */
export interface Standstill {
  seconds: number;
  why: string;
}

/** Default: success, one run, nothing lost, and the coordinator (if the job is one's of its) knows the same. */
export interface Expectation {
  state?: CiJobResult['state'];
  failureReason?: string;
  runs?: number;
  /** Runs of after_script; of a job that does not succeed default: one at most. */
  afterRuns?: number;
  linesMayBeLost?: boolean;
  /** What the coordinator has in the end, e.g. `running, undelivered`. */
  coordinator?: string;
}

export interface Scene {
  ground: Ground;
  stack: Stack;
  job: NumberedJob;
  handle: JobHandle;
  /** Of all its jobs. */
  handles: readonly JobHandle[];
  gitlab(): GitlabSide;
  /** What the coordinator knows of the job. */
  remote(): CoordinatorJob;
  /** Waits until the line is in the trace, of every job. */
  line(number: number): Promise<void>;
  /** Waits until the trace has so many more lines, of the first job. */
  more(count: number): Promise<void>;
  /** Ends the lines of lasting jobs; without it they end when the scenario has run and their trace has moved after the repair. */
  letEnd(): void;
  /** Waits until the step runs (the workflow says so). */
  step(name: string): Promise<void>;
  trace(): Promise<string>;
  status(): Promise<JobStatus>;
  /** What was broken is whole again: from here the standstill of the trace counts. */
  repaired(): void;
}

/** What a scenario came to. Everything but `secondsUntilMoved`, `runs` and the states is to be 0. */
export interface Figures extends Tally {
  scenario: string;
  jobsLost: number;
  state: string;
  failureReason: string | null;
  /** From the repair until the trace grew again; null: nothing was to come any more. */
  secondsUntilMoved: number | null;
  leftovers: number;
  checksumWrong: number;
  /** A worker that reads the workflow from its history goes another way than the one that wrote it: it could never go on. */
  replayDiffers: number;
  /** At the coordinator, where there is one: its state of the job. */
  coordinator: string;
  /** What GitLab would not have liked: bytes at wrong places, artifacts or log after the final status, two final statuses, … */
  violations: number;
  /** The coordinator's copy of the trace is another one than the store's. */
  traceDiffers: number;
  tookSeconds: number;
  /** Why it was not played. */
  skipped?: string;
  /** Promises that were not kept, each a sentence. */
  broken: string[];
}
