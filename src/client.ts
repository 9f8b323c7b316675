import { randomBytes } from 'node:crypto';
import { Client, Connection, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { resolve } from 'node:path';
import { createKeyFile, loadKeyRing } from './codec/key-ring.js';
import { createPayloadCodec } from './codec/payload-codec.js';
import type { Config } from './config/schema.js';
import { connectionOptions } from './client/connection.js';
import { JobExistsError, JobInvalidError, JobNotFoundError, UnreachableError } from './client/errors.js';
import { flaggedByReplay } from './client/replay-flags.js';
import { listAfterReplay, readReplayed } from './client/replayed.js';
import { readJobFacts, type JobFacts } from './client/job-facts.js';
import { readStatus } from './client/job-status.js';
import { createJobHandle, type JobHandle } from './client/job-handle.js';
import type { JobFlight } from './client/life/job-flight.js';
import { DEFAULT_LIMIT, listJobs, newestFirst } from './client/job-list.js';
import { NAME_MEMO, type JobSummary } from './client/job-summary.js';
import type { JobFilter } from './client/list-query.js';
import { guarded, unreachable } from './client/reach.js';
import { isJob, resolveJobId } from './client/resolve-job.js';
import type { CiJobInput, CiJobResult, JobStatus, ReplayMetricsResult } from './contracts/ci-job.js';
import type { EngineOutage } from './contracts/engine-outage.js';
import type { JobLife } from './contracts/job-life.js';
import { CI_JOB_WORKFLOW, jobWorkflowId, REPLAY_METRICS_WORKFLOW, replayWorkflowId } from './contracts/names.js';
import { parseJobObject } from './job/job-file.js';
import { jobFileToSpec } from './job/to-spec.js';
import { readOutages } from './store/engine-outages.js';
import { jobKeys } from './store/keys.js';
import { openStore } from './store/open-store.js';
import type { Store } from './store/store.js';

export { JobExistsError, JobInvalidError, JobNotFoundError, UnreachableError };
export type {
  CiJobInput,
  CiJobResult,
  EngineOutage,
  JobFacts,
  JobFilter,
  JobFlight,
  JobHandle,
  JobLife,
  JobStatus,
  JobSummary,
  ReplayMetricsResult,
};

export interface StartOptions {
  /** Last part of the workflow id; default: a short one that sorts by time. */
  id?: string;
  /** Variables that outrank the job file's. */
  variables?: Record<string, string>;
  /** Keep the machine for this long after a failure. */
  holdOnFailureMs?: number;
}

export interface HoldfastClient {
  /**
   * @param job a job file's content
   * @throws JobInvalidError with every problem; JobExistsError when the id was used before; UnreachableError
   */
  startJob(job: unknown, options?: StartOptions): Promise<JobHandle>;
  /** @param id workflow id or its last part */
  job(id: string): Promise<JobHandle>;
  listJobs(filter?: JobFilter): Promise<JobSummary[]>;
  /** Adds to jobs of the list what Temporal's list does not know: times, exit codes, engines. */
  jobFacts(jobs: readonly JobSummary[]): Promise<JobFacts[]>;
  /** Engines that take no jobs now, as their workers have said a moment ago. @throws StoreError */
  outages(): Promise<EngineOutage[]>;
  /** @returns the workflow id of a job whose metrics can be collected again @throws JobNotFoundError */
  jobToReplay(id: string): Promise<string>;
  /** Collect and upload a job's metrics again; two callers at once share one upload. @throws JobNotFoundError */
  replayMetrics(id: string): Promise<ReplayMetricsResult>;
  readonly store: Store;
  readonly temporal: Client;
  close(): Promise<void>;
}

/** What people can type again, and a label of a container can hold. */
const JOB_ID = /^[^\s/](?:\S{0,198}[^\s/])?$/;
const BAD_JOB_ID = { path: 'id', message: 'must be 1 to 200 characters without spaces, and not begin or end with "/"' };

/** How long Temporal may be silent before we say that it is not there. */
const CONNECT_TIMEOUT_MS = 5_000;

/** @throws UnreachableError, KeyRingError, StoreError */
export async function createHoldfastClient(config: Config): Promise<HoldfastClient> {
  const { address, namespace, taskQueue } = config.temporal;
  const connection = await Connection.connect({
    ...connectionOptions(config.temporal),
    connectTimeout: CONNECT_TIMEOUT_MS,
  }).catch((cause: unknown) => {
    throw new UnreachableError(
      `Temporal at ${address} does not answer. Is "holdfast dev" running, or is temporal.address wrong?`,
      { cause },
    );
  });
  const keyFile =
    config.encryption.keyFile ?? ('directory' in config.store ? resolve(config.store.directory, 'key') : undefined);
  if (keyFile === undefined) throw new Error('With an S3 store encryption.keyFile must be set');
  // Client and worker of one machine share the store, and whoever is first makes the key.
  if (config.encryption.keyFile === undefined) await createKeyFile(keyFile);
  const { ring } = await loadKeyRing(keyFile);
  const codec = createPayloadCodec(ring);
  const temporal = new Client({ connection, namespace, dataConverter: { payloadCodecs: [codec] } });
  const store = await openStore(config.store);
  const openJob = (workflowId: string) => createJobHandle({ temporal, store, codec, address }, workflowId);

  async function jobToReplay(id: string): Promise<string> {
    const job = await guarded(() => resolveJobId(temporal, id), address);
    // The store may know one that Temporal has forgotten.
    const isKept = (await store.size(jobKeys.metricsRequest(job))) !== undefined;
    if (isKept || (await guarded(() => isJob(temporal, job), address))) return job;
    throw new JobNotFoundError(`There is no job ${job}`);
  }

  return {
    store,
    temporal,
    jobToReplay,
    async startJob(job, options = {}) {
      const { id = newJobId() } = options;
      const parsed = parseJobObject(job);
      const problems = [...(JOB_ID.test(id) ? [] : [BAD_JOB_ID]), ...(parsed.ok ? [] : parsed.problems)];
      if (!parsed.ok || problems.length > 0) throw new JobInvalidError(problems);
      const spec = jobFileToSpec(parsed.job, options.variables === undefined ? {} : { variables: options.variables });
      const workflowId = jobWorkflowId(id);
      const input: CiJobInput = {
        version: 1,
        spec,
        ...(options.holdOnFailureMs === undefined ? {} : { holdOnFailureMs: options.holdOnFailureMs }),
      };
      try {
        await temporal.workflow.start(CI_JOB_WORKFLOW, {
          workflowId,
          taskQueue,
          args: [input],
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          workflowIdConflictPolicy: 'FAIL',
          staticSummary: spec.name.slice(0, 150),
          memo: { [NAME_MEMO]: spec.name },
          typedSearchAttributes: new TypedSearchAttributes([
            { key: defineSearchAttributeKey('HoldfastJobState', 'KEYWORD'), value: 'pending' },
            { key: defineSearchAttributeKey('HoldfastProject', 'KEYWORD'), value: spec.project },
            { key: defineSearchAttributeKey('HoldfastPool', 'KEYWORD'), value: spec.pool },
            { key: defineSearchAttributeKey('HoldfastMetrics', 'KEYWORD'), value: 'pending' },
          ]),
        });
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) {
          throw new JobExistsError(
            `A job with the id ${workflowId} was started before and is not run twice: choose another id`,
            { cause: error },
          );
        }
        throw unreachable(error, address);
      }
      return openJob(workflowId);
    },
    job: async (id) => openJob(await guarded(() => resolveJobId(temporal, id), address)),
    jobFacts: (jobs) => readJobFacts(jobs, (workflowId) => readStatus({ temporal, store, address }, workflowId)),
    listJobs: (filter) =>
      guarded(async () => {
        const limit = filter?.limit ?? DEFAULT_LIMIT;
        const settle = (jobs: JobSummary[]) => listAfterReplay(store, jobs, filter?.metrics);
        // Only with `metrics` may it leave jobs out, so that more than `limit` have to be looked at.
        const listed =
          filter?.metrics === undefined
            ? await settle(await listJobs(temporal, filter))
            : await listJobs(temporal, filter, settle);
        const replayed = await settle(await flaggedByReplay(temporal, filter ?? {}, limit));
        return newestFirst([...listed, ...replayed]).slice(0, limit);
      }, address),
    outages: () => readOutages(store),
    async replayMetrics(id) {
      const job = await jobToReplay(id);
      const known = await readReplayed(store, job);
      if (known !== undefined) return { job, ...known };
      return await guarded(
        () =>
          temporal.workflow.execute<(input: { version: 1; job: string }) => Promise<ReplayMetricsResult>>(
            REPLAY_METRICS_WORKFLOW,
            {
              workflowId: replayWorkflowId(job),
              taskQueue,
              args: [{ version: 1, job }],
              workflowIdConflictPolicy: 'USE_EXISTING',
              workflowIdReusePolicy: 'ALLOW_DUPLICATE',
            },
          ),
        address,
      );
    },
    close: () => connection.close(),
  };
}

/** Sorts by time, short enough to type, unlikely to meet another. */
function newJobId(): string {
  return `${Date.now().toString(36)}${randomBytes(3).toString('hex')}`;
}
