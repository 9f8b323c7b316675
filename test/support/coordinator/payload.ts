/** A job as GitLab hands it over (gitlab-protocol section 2), with nothing but a script; `changes` replace whole fields. */
export function examplePayload(id: number, changes: Record<string, unknown> = {}): Record<string, unknown> {
  const token = `glcbt-64_t${String(id)}x${Math.random().toString(36).slice(2, 14)}`;
  const { variables = [], script, ...rest } = changes as { variables?: unknown[]; script?: string[] };
  return {
    id,
    token,
    allow_git_fetch: true,
    job_info: {
      name: `job ${String(id)}`,
      stage: 'test',
      pipeline_id: 900,
      project_id: 77,
      project_name: 'widget',
      project_full_path: 'acme/widget',
      namespace_id: 12,
      user_id: 5,
      time_in_queue_seconds: 0.5,
      project_jobs_running_on_instance_runners_count: '+Inf',
      queue_size: 1,
      queue_depth: 1,
    },
    git_info: {
      repo_url: `http://gitlab-ci-token:${token}@127.0.0.1:9/acme/widget.git`,
      repo_object_format: 'sha1',
      ref: 'main',
      sha: '1f2e3d4c5b6a79880011223344556677889900aa',
      before_sha: '0000000000000000000000000000000000000000',
      ref_type: 'branch',
      refspecs: ['+refs/heads/main:refs/remotes/origin/main'],
      depth: 20,
    },
    runner_info: { timeout: 3600, uuid: '' },
    inputs: [],
    variables: [
      variable('CI_JOB_ID', String(id)),
      variable('CI_JOB_TOKEN', token, { public: false, masked: true }),
      variable('CI_PROJECT_PATH', 'acme/widget'),
      variable('GIT_STRATEGY', 'none'),
      ...variables,
    ],
    steps: [{ name: 'script', script: script ?? ['true'], timeout: 3600, when: 'on_success', allow_failure: false }],
    image: { name: '', entrypoint: null, executor_opts: {} },
    services: [],
    artifacts: null,
    cache: [],
    credentials: [],
    dependencies: [],
    features: {
      trace_sections: true,
      token_mask_prefixes: ['glpat-'],
      failure_reasons: [
        'unknown_failure',
        'script_failure',
        'api_failure',
        'stuck_or_timeout_failure',
        'runner_system_failure',
        'missing_dependency_failure',
        'runner_unsupported',
        'job_execution_timeout',
        'image_pull_failure',
        'runner_configuration_error',
        'runner_external_dependency_failure',
        'runner_interrupted',
      ],
    },
    secrets: {},
    hooks: [],
    policy_options: { execution_policy_job: false, policy_name: '' },
    suspend_options: {},
    ...rest,
  };
}

export function variable(
  key: string,
  value: string,
  flags: { public?: boolean; masked?: boolean; raw?: boolean; file?: boolean } = {},
): Record<string, unknown> {
  return { key, value, public: true, masked: false, raw: false, file: false, ...flags };
}
