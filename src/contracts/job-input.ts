import type { CiJobInput } from './ci-job.js';
import type { JobSpec } from './job-spec.js';

/** Marker of a refused job: `problems` has every one of them, each with its path. */
export interface JobProblem {
  /** `artifacts.when`, `variables.DEPLOY KEY`, … */
  path: string;
  message: string;
  /** Line of a YAML job file, counted from 1. */
  line?: number;
}

export type AcceptedInput = Extract<CiJobInput, { spec: JobSpec }>;
