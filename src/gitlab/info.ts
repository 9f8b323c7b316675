import { VERSION } from '../version.js';

/**
 * What a runner says of itself. GitLab drops jobs that need a feature which is not reported, and cancels at once instead of
 * gracefully; so each `true` is a promise, and all 31 are always sent (gitlab-protocol section 1.3).
 */
export const FEATURES = {
  variables: true,
  image: true,
  services: true,
  artifacts: true,
  cache: true,
  fallback_cache_keys: true,
  shared: false,
  upload_multiple_artifacts: true,
  upload_raw_artifacts: true,
  // No web terminal.
  session: false,
  terminal: false,
  refspecs: true,
  masking: true,
  proxy: false,
  raw_variables: true,
  artifacts_exclude: true,
  multi_build_steps: true,
  trace_reset: true,
  trace_checksum: true,
  trace_size: true,
  vault_secrets: false,
  cancelable: true,
  return_exit_code: true,
  service_variables: true,
  service_multiple_aliases: true,
  image_executor_opts: true,
  service_executor_opts: true,
  cancel_gracefully: true,
  native_steps_integration: false,
  // Gone from the server; on one that still has it, a job that is not acknowledged in time would be failed.
  two_phase_job_commit: false,
  job_inputs: false,
} as const;

export interface RunnerInfo {
  name: string;
  version: string;
  revision: string;
  platform: string;
  architecture: string;
  executor: 'docker';
  shell: 'bash';
  features: typeof FEATURES;
  config: { gpus: string };
}

const GO_ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386' };

export function runnerInfo(revision = 'unknown'): RunnerInfo {
  return {
    name: 'holdfast',
    version: VERSION,
    revision,
    platform: process.platform,
    architecture: GO_ARCHITECTURES[process.arch] ?? process.arch,
    executor: 'docker',
    shell: 'bash',
    features: FEATURES,
    config: { gpus: '' },
  };
}
