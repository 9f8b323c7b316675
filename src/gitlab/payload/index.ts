import type { JobProblem } from '../../contracts/job-input.js';
import { toProblems } from '../../job/problems.js';
import { readAs } from '../../job/read-as.js';
import { JobPayloadSchema, type JobPayload } from './schema.js';

export { specOfPayload, type GitlabEntryFacts } from './to-spec.js';
export type { JobPayload } from './schema.js';

export type ReadJobPayload =
  | { ok: true; payload: JobPayload }
  /** `jobId` and `token` where at least these could be read: with them GitLab can be told. */
  | { ok: false; jobId?: number; token?: string; problems: JobProblem[] };

/** @param raw the parsed JSON, whatever it is. Never throws; its time is bounded by the size of what it reads. */
export function readJobPayload(raw: unknown): ReadJobPayload {
  const read = readAs(JobPayloadSchema, raw);
  if (read.success) return { ok: true, payload: read.data };
  return { ok: false, ...identityOf(raw), problems: toProblems(read.error, () => []) };
}

/** Whose job it is, as far as it can be read, whatever the rest is like. */
export function identityOf(raw: unknown): { jobId?: number; token?: string } {
  const { id, token } = JobPayloadSchema.shape;
  const given: Record<string, unknown> = typeof raw === 'object' && raw !== null ? { ...raw } : {};
  const jobId = readAs(id, given['id']);
  const jobToken = readAs(token, given['token']);
  return {
    ...(jobId.success ? { jobId: jobId.data } : {}),
    ...(jobToken.success ? { token: jobToken.data } : {}),
  };
}
