import { expect, it } from 'vitest';
import { finalLine } from './format.js';

const failed = (reason: string, exitCode: number | null = null) =>
  finalLine({ kind: 'failed', reason, exitCode, message: 'why' });

it('of a trace says "system failure" of those alone', () => {
  expect(failed('runner_system_failure')).toContain('ERROR: Job failed (system failure): why');
  for (const reason of [
    'runner_configuration_error',
    'image_pull_failure',
    'runner_external_dependency_failure',
    'job_execution_timeout',
    'script_failure',
  ]) {
    expect(failed(reason)).toContain('ERROR: Job failed: why');
  }
});
