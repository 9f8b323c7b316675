import { gitlabWorkflowId } from '../../../src/contracts/names.js';
import type { JobHandle } from '../../../src/client.js';
import { jobKeys } from '../../../src/store/keys.js';
import type { CoordinatorJob, JobOptions } from '../coordinator/job.js';
import { until } from '../processes.js';
import type { Stack } from '../stack.js';
import type { GitlabSide, Ground } from './ground.js';
import { asPayload, type NumberedJob } from './numbered-job.js';

/** The job of a scenario, wherever it came from. */
export interface Subject {
  workflowId: string;
  /** Waits until the workflow is there. */
  handle(): Promise<JobHandle>;
  /** How many bytes of trace whoever waits for them has: the coordinator, or else the store. */
  traceSize(): Promise<number>;
  /** What the coordinator knows of it. */
  remote?: CoordinatorJob;
}

/** @param options of a job that the coordinator hands over; absent: started by the client */
export async function startSubject(ground: Ground, job: NumberedJob, options?: JobOptions): Promise<Subject> {
  const { stack, gitlab } = ground;
  if (options === undefined) {
    return clientSubject(stack, await stack.client.startJob(job.definition, { id: job.id }));
  }
  if (gitlab === undefined) throw new Error('This ground has no coordinator');
  return startGitlabSubject(stack, gitlab, job, options);
}

/** A job that the client has started. */
export function clientSubject(stack: Stack, handle: JobHandle): Subject {
  return {
    workflowId: handle.workflowId,
    handle: () => Promise.resolve(handle),
    traceSize: async () => (await stack.client.store.size(jobKeys.trace(handle.workflowId))) ?? 0,
  };
}

function startGitlabSubject(stack: Stack, gitlab: GitlabSide, job: NumberedJob, options: JobOptions): Subject {
  const remote = gitlab.coordinator.addJob(asPayload(job), options);
  const workflowId = gitlabWorkflowId(gitlab.host, remote.id);
  let handle: JobHandle | undefined;
  return {
    workflowId,
    remote,
    traceSize: () => Promise.resolve(remote.trace.length),
    async handle() {
      await until(
        `the workflow ${workflowId}`,
        async () => {
          if (handle !== undefined) return true;
          const named = await stack.client.job(workflowId).catch(() => undefined);
          // A name is not yet a job.
          handle = await named?.status().then(
            () => named,
            () => undefined,
          );
          return handle !== undefined;
        },
        90_000,
      );
      if (handle === undefined) throw new Error('unreachable');
      return handle;
    },
  };
}
