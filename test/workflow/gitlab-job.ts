import type { ArtifactStatus, Coordinator } from '../../src/contracts/ci-job.js';

/** Whose jobs come from GitLab, where a test does not care which. */
export const GITLAB: Coordinator = {
  kind: 'gitlab',
  entry: 'test',
  url: 'https://gitlab.example.com',
  jobId: 1,
  token: 'token',
  failureReasons: [],
  traceSections: true,
};

/** What a collection of metrics spools for GitLab. */
export const METRICS_ARTIFACT: ArtifactStatus = {
  name: 'metrics_referee.json',
  type: 'metrics_referee',
  format: 'gzip',
  bytes: 10,
  files: 1,
  key: 'kept/metrics',
};
