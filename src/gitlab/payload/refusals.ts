import { PULL_POLICIES } from '../../contracts/job-spec.js';
import type { FailureReason } from '../../contracts/names.js';
import { artifactFormat } from '../../job/artifact-types.js';
import { readDockerOptions, type JobPayload, type PayloadImage } from './schema.js';

export interface Refusal {
  reason: FailureReason;
  /** Goes to the job's trace: what, where, and what to do. */
  message: string;
  /** As GitLab's runner reports it; its other refusals have none. */
  exitCode?: number;
}

/** What Holdfast does not do, or a job does not say rightly. docs/gitlab.md has the table. */
export function refusalOf(payload: JobPayload): Refusal | undefined {
  return unsupported(payload) ?? misconfigured(payload);
}

function unsupported(payload: JobPayload): Refusal | undefined {
  if (payload.run !== undefined && payload.run !== null && payload.run !== '') {
    return no('CI steps (`run:`)', 'use `script:`');
  }
  if (payload.secrets.length > 0) {
    const names = payload.secrets.slice(0, 5).join(', ');
    return no(
      `\`secrets:\` from a secrets manager (${names})`,
      'use CI/CD variables, or fetch them in the script with an ID token',
    );
  }
  if (payload.inputs.length > 0) return no('job inputs (`inputs:` of a job)', 'use variables');
  return undefined;
}

function no(what: string, instead: string): Refusal {
  return {
    reason: 'runner_unsupported',
    message: `Holdfast does not support ${what}: ${instead}, or run this job on another runner`,
  };
}

function misconfigured(payload: JobPayload): Refusal | undefined {
  const project = payload.job_info.project_full_path;
  if (project !== '' && !isSafeProjectPath(project)) {
    return {
      reason: 'runner_system_failure',
      message: `The project path "${project.slice(0, 200)}" cannot be a directory below the builds directory`,
    };
  }
  const images: [string, PayloadImage][] = [
    ...(payload.image === undefined ? [] : ([['image', payload.image]] as [string, PayloadImage][])),
    ...payload.services.map((service, index): [string, PayloadImage] => [`services.${String(index)}`, service]),
  ];
  for (const [path, image] of images) {
    const refusal = refusalOfImage(path, image);
    if (refusal !== undefined) return refusal;
  }
  return refusalOfArtifacts(payload);
}

/** Executors whose options may stand beside ours; an unknown one is a typing error that would otherwise go unnoticed. */
const EXECUTORS = ['docker', 'kubernetes'];

function refusalOfImage(path: string, image: PayloadImage): Refusal | undefined {
  const unknown = Object.keys(image.executor_opts).find((key) => !EXECUTORS.includes(key));
  if (unknown !== undefined) {
    return {
      reason: 'runner_system_failure',
      exitCode: 3,
      message: `Unsupported executor option "${unknown}" at ${path}: known are docker (platform, user) and kubernetes (not read here)`,
    };
  }
  if (readDockerOptions(image.executor_opts) === undefined) {
    return {
      reason: 'runner_system_failure',
      exitCode: 3,
      message: `The docker options at ${path} cannot be read: known are platform and user`,
    };
  }
  const policy = image.pull_policy.find((name) => !PULL_POLICIES.some((known) => known === name));
  if (policy === undefined) return undefined;
  return {
    reason: 'runner_configuration_error',
    message: `pull_policy "${policy}" at ${path} is none of ${PULL_POLICIES.join(', ')}`,
  };
}

function refusalOfArtifacts(payload: JobPayload): Refusal | undefined {
  const bad = payload.artifacts.find(
    ({ artifact_type: type, artifact_format: format }) =>
      (type !== '' && !/^[a-z0-9_]{1,64}$/.test(type)) || !['', 'zip', 'gzip', 'raw'].includes(format),
  );
  if (bad === undefined) return undefined;
  return {
    reason: 'runner_unsupported',
    message: `Artifacts of type "${bad.artifact_type}" and format "${bad.artifact_format}" are not known here (format for this type: ${artifactFormat(bad.artifact_type) ?? 'unknown'})`,
  };
}

/**
 * Each segment a directory of its own below the one before: none leads up, is an option to a program, or is where git keeps what it
 * executes. Whatever else GitLab lets be a name may be one (`.github`, `a.`). `:` separates paths in lists of them.
 */
export function isSafeProjectPath(path: string): boolean {
  return (
    path.length <= 1000 &&
    path
      .split('/')
      .every((segment) => !['', '.', '..'].includes(segment) && !/^-|^\.git$|[\p{Cc}\p{Cs}\\:]/iu.test(segment))
  );
}
