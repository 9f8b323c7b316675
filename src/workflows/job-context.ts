import type { Provisioned } from '../contracts/activities.js';
import type { Coordinator } from '../contracts/ci-job.js';
import type { JobSpec } from '../contracts/job-spec.js';
import type { Interruptions } from './interruptions.js';
import type { Journal } from './journal.js';
import type { Outcome } from './outcome.js';
import type { TraceChain } from './trace-chain.js';

/** What the parts of one job share. Made in `ci-job.ts`, lives as long as the workflow. */
export interface JobContext {
  workflowId: string;
  taskQueue: string;
  spec: JobSpec;
  coordinator?: Coordinator;
  steps: readonly { name: string; kind: 'container' | 'files' }[];
  queuedAtMs: number;
  journal: Journal;
  trace: TraceChain;
  interruptions: Interruptions;
  /** A fresh unguessable text, the same at replay. */
  nonce(): string;
  /** Work that the workflow waits for before it closes, and nothing else waits for. */
  background(work: Promise<unknown>): void;
  startMetrics(machine: Provisioned, scriptEndedAtMs: number, outcome: Outcome): void;
  /** Resolves when nobody holds the machine for debugging. */
  held(machine: Provisioned): Promise<void>;
  markUnserved(machine: Provisioned): void;
  engineServed(machine: Provisioned): boolean;
  /** It was waited for, and is waited for no more. */
  markOutOfReach(machine: Provisioned): void;
  isOutOfReach(machine: Provisioned): boolean;
}
