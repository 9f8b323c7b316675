import { readJobPayload, specOfPayload, type GitlabEntryFacts } from '../../gitlab/payload/index.js';
import type { ReadPayload } from '../../gitlab/intake.js';

/** How many of a bad payload's problems are told; a hostile one may have thousands. */
const MAX_PROBLEMS = 5;

/** GitLab's answer, whatever it is, as a job of ours or as the reason why it is none. Never throws. */
export function readPayload(raw: Buffer, entry: GitlabEntryFacts): ReadPayload {
  let json: unknown;
  try {
    json = JSON.parse(raw.toString('utf8'));
  } catch (error) {
    return { kind: 'unreadable', problem: `no JSON: ${error instanceof Error ? error.name : 'unknown fault'}` };
  }
  const read = readJobPayload(json);
  if (!read.ok) {
    const problem = read.problems
      .slice(0, MAX_PROBLEMS)
      .map(({ path, message }) => `${path}: ${message}`)
      .join('; ');
    if (read.jobId === undefined || read.token === undefined) return { kind: 'unreadable', problem };
    return {
      kind: 'refused',
      job: { id: read.jobId, token: read.token },
      reason: 'runner_system_failure',
      message: `the job as GitLab sent it cannot be read (${problem})`,
      failureReasons: [],
    };
  }
  const { payload } = read;
  const job = { id: payload.id, token: payload.token };
  const mapped = specOfPayload(payload, entry);
  if ('refused' in mapped) {
    return { kind: 'refused', job, ...mapped.refused, failureReasons: payload.features.failure_reasons };
  }
  return { kind: 'job', job, ...mapped };
}
