import { readJobPayload, type JobPayload } from '../../../src/gitlab/payload/index.js';

/** What a worker knows of the GitLab that gives it. */
export const ENTRY = { name: 'main', url: 'https://gitlab.example', pool: 'default', outputLimitBytes: 4096 };

/** As in gitlab-protocol section 2.1, shortened. */
export function example(): Record<string, unknown> {
  return {
    id: 4711,
    token: 'glcbt-64_EXAMPLEjobtoken',
    allow_git_fetch: true,
    job_info: {
      name: 'unit tests',
      stage: 'test',
      project_id: 77,
      project_full_path: 'acme/tools/widget',
      time_in_queue_seconds: 2.75,
      project_jobs_running_on_instance_runners_count: '+Inf',
    },
    git_info: {
      repo_url: 'https://gitlab-ci-token:glcbt-64_EXAMPLEjobtoken@gitlab.example/acme/tools/widget.git',
      repo_object_format: 'sha1',
      ref: 'main',
      sha: '1f2e3d4c5b6a79880011223344556677889900aa',
      ref_type: 'branch',
      refspecs: ['+refs/pipelines/900:refs/pipelines/900', '+refs/heads/main:refs/remotes/origin/main'],
      depth: 20,
      protected: true,
    },
    runner_info: { timeout: 3600, uuid: '' },
    inputs: [],
    variables: [
      { key: 'CI_JOB_TOKEN', value: 'glcbt-64_EXAMPLEjobtoken', public: false, masked: true, raw: false, file: false },
      { key: 'POSTGRES_DB', value: 'widget_test', public: true, masked: false, raw: false, file: false },
      { key: 'DATABASE_URL', value: 'postgres://db/$POSTGRES_DB', public: true, masked: false },
      { key: 'KUBE_CA', value: 'CERT\n', public: false, masked: false, raw: true, file: true },
    ],
    steps: [
      { name: 'script', script: ['npm ci', 'npm test'], timeout: 3600, when: 'on_success', allow_failure: false },
      { name: 'release', script: ['release-cli create --name "$POSTGRES_DB"'] },
      { name: 'after_script', script: ['cat npm-debug.log || true'], timeout: 3600, when: 'always' },
    ],
    image: {
      name: 'node:$POSTGRES_DB',
      entrypoint: [''],
      pull_policy: ['if-not-present', 'always'],
      executor_opts: { docker: { user: 1000 } },
    },
    services: [
      {
        name: 'postgres:16',
        alias: 'db, sql',
        command: ['postgres', '-c', 'fsync=off'],
        variables: [{ key: 'POSTGRES_PASSWORD', value: 'x', public: true }],
        executor_opts: {},
      },
    ],
    artifacts: [
      {
        name: 'coverage',
        untracked: false,
        paths: ['coverage/'],
        exclude: ['coverage/.cache/**'],
        when: 'on_success',
        artifact_type: 'archive',
        artifact_format: 'zip',
        expire_in: '1 week',
      },
      {
        name: 'junit.xml',
        paths: ['reports/junit.xml'],
        when: 'always',
        artifact_type: 'junit',
        artifact_format: 'gzip',
      },
    ],
    cache: [
      { key: 'npm-main', untracked: false, policy: 'pull-push', paths: ['.npm/'], when: '', fallback_keys: ['npm-x'] },
    ],
    credentials: [
      {
        type: 'registry',
        url: 'registry.gitlab.example',
        username: 'gitlab-ci-token',
        password: 'glcbt-64_EXAMPLEjobtoken',
      },
      { type: 'other', url: 'x' },
    ],
    dependencies: [
      { id: 4700, token: 'glcbt-64_OTHER', name: 'build', artifacts_file: { filename: 'artifacts.zip', size: 51234 } },
      { id: 4701, token: 't', name: 'empty', artifacts_file: { filename: '' } },
    ],
    features: { trace_sections: true, token_mask_prefixes: ['acme-'], failure_reasons: ['script_failure'] },
    secrets: {},
    hooks: [{ name: 'pre_get_sources_script', script: ['git config --global http.postBuffer 1048576'] }],
    policy_options: { execution_policy_job: false },
    a_field_of_next_year: { deep: [1] },
  };
}

/** The example with changes, as it is read. @throws Error that names the problems of one that is refused */
export function read(changes: Record<string, unknown> = {}): JobPayload {
  const result = readJobPayload({ ...example(), ...changes });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.payload;
}
