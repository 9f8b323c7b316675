import { isTrue } from '../shell/script.js';
import type { JobFacts, ResolvedVariables } from './variables.js';

/** What a provenance says of the job besides the files. Holds no value of a variable but GitLab's own. */
export interface ProvenanceFacts {
  /** URL of the project. */
  source: string;
  commit: string;
  /** Name of the job. */
  entryPoint: string;
  job: string;
  runner: string;
  /** URL of the runner. */
  builder: string;
  version: string;
  architecture: string;
  startedAt: string;
  /** Names. */
  variables: string[];
}

/** @returns undefined unless the job asks for it (`RUNNER_GENERATE_ARTIFACTS_METADATA`) */
export function provenanceFacts(
  { lookup, exports }: ResolvedVariables,
  facts: Pick<JobFacts, 'version' | 'jobId'>,
): ProvenanceFacts | undefined {
  if (!isTrue(lookup('RUNNER_GENERATE_ARTIFACTS_METADATA'))) return undefined;
  const source = lookup('CI_PROJECT_URL') ?? '';
  return {
    source,
    commit: lookup('CI_COMMIT_SHA') ?? '',
    entryPoint: lookup('CI_JOB_NAME') ?? '',
    job: lookup('CI_JOB_ID') ?? facts.jobId,
    runner: lookup('CI_RUNNER_DESCRIPTION') ?? '',
    builder: `${source}/-/runners/${lookup('CI_RUNNER_ID') ?? ''}`,
    version: facts.version,
    architecture: (lookup('CI_RUNNER_EXECUTABLE_ARCH') ?? '').split('/').at(-1) ?? '',
    startedAt: lookup('CI_JOB_STARTED_AT') ?? '',
    variables: exports.map(({ key }) => key).sort(),
  };
}
