// STUB until payload lands
import type { Coordinator } from '../../contracts/ci-job.js';
import type { JobProblem } from '../../contracts/job-input.js';
import type { JobSpec } from '../../contracts/job-spec.js';
import type { FailureReason } from '../../contracts/names.js';

/* eslint-disable */
export type JobPayload = { id: number; token: string; features: { failure_reasons: string[] } } & Record<string, any>;

export function readJobPayload(
  raw: unknown,
): { ok: true; payload: JobPayload } | { ok: false; jobId?: number; token?: string; problems: JobProblem[] } {
  const payload = raw as JobPayload;
  return { ok: true, payload };
}

export function specOfPayload(
  payload: JobPayload,
  entry: { name: string; url: string; pool: string; outputLimitBytes: number },
): { spec: JobSpec; coordinator: Coordinator } | { refused: { reason: FailureReason; message: string } } {
  const steps = payload['steps'] as { name: string; script: string[] }[];
  return {
    spec: {
      name: payload['job_info'].name,
      project: payload['job_info'].project_full_path ?? 'a/b',
      pool: entry.pool,
      tags: [],
      ...(payload['image']?.name ? { image: { name: payload['image'].name } } : {}),
      services: [],
      variables: payload['variables'] ?? [],
      steps: steps.filter((s) => s.name !== 'after_script'),
      afterScript: steps.find((s) => s.name === 'after_script')?.script ?? [],
      timeoutMs: (payload['runner_info']?.timeout ?? 3600) * 1000,
      afterScriptTimeoutMs: 300000,
      artifacts: (payload['artifacts'] ?? []).map((a: any) => ({
        name: a.name,
        paths: a.paths ?? [],
        exclude: [],
        untracked: false,
        when: a.when ?? 'on_success',
        type: a.artifact_type ?? 'archive',
        format: a.artifact_format ?? 'zip',
        ...(a.expire_in ? { expireIn: a.expire_in } : {}),
      })),
      caches: [],
      dependencies: [],
      credentials: [],
      allowFailure: { kind: 'never' },
      retry: { max: 0, when: [] },
      interruptible: false,
      tokenPrefixes: [],
      outputLimitBytes: entry.outputLimitBytes,
    },
    coordinator: {
      kind: 'gitlab',
      entry: entry.name,
      url: entry.url,
      jobId: payload.id,
      token: payload.token,
      failureReasons: payload.features?.failure_reasons ?? [],
      traceSections: true,
    },
  };
}
