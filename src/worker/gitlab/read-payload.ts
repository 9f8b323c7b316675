import { readBoundedJson } from '../../gitlab/bounded-json.js';
import { identityOf, readJobPayload, specOfPayload, type GitlabEntryFacts } from '../../gitlab/payload/index.js';
import type { ReadPayload } from '../../gitlab/intake.js';

/** How many of a bad payload's problems are told; a hostile one may have thousands. */
const MAX_PROBLEMS = 5;

/** GitLab's answer, whatever it is, as a job of ours or as the reason why it is none. Never throws. */
export function readPayload(raw: Buffer, entry: GitlabEntryFacts): ReadPayload {
  const json = readBoundedJson(raw);
  if (json.kind === 'none') return { kind: 'unreadable', problem: `no JSON: ${json.problem}` };
  if (json.kind === 'tooLarge') return unread(identityOf(json.head), `it is larger than ${json.limit}`);
  const read = readJobPayload(json.value);
  if (!read.ok) {
    const problems = read.problems.slice(0, MAX_PROBLEMS).map(({ path, message }) => `${path}: ${message}`);
    return unread(read, problems.join('; '));
  }
  const { payload } = read;
  const job = { id: payload.id, token: payload.token };
  const mapped = specOfPayload(payload, entry);
  if ('refused' in mapped) {
    return { kind: 'refused', job, ...mapped.refused, failureReasons: payload.features.failure_reasons };
  }
  return { kind: 'job', job, ...mapped };
}

function unread({ jobId, token }: { jobId?: number; token?: string }, problem: string): ReadPayload {
  if (jobId === undefined || token === undefined) return { kind: 'unreadable', problem };
  return {
    kind: 'refused',
    job: { id: jobId, token },
    reason: 'runner_system_failure',
    message: `the job as GitLab sent it cannot be read (${problem})`,
    failureReasons: [],
  };
}
