import { EXIT } from '../../src/cli/exit-codes.js';
import { FAILURE_CODES, REASON_FAULTS, type Fault, type FaultEntry } from '../../src/contracts/faults.js';
import type { FailureReason } from '../../src/contracts/names.js';
import { table } from './markdown.js';

const FAULT_WORDS: Record<Fault, string> = {
  user: "the job's author",
  runner: 'the operator of Holdfast',
  provider: 'the operator of what Holdfast stands on',
  coordinator: 'the operator of GitLab',
  nobody: 'nobody',
};

const EXIT_CODES: Record<keyof typeof EXIT, [cause: string, remedy: string]> = {
  success: ['The job succeeded', 'Nothing'],
  usage: [
    'Wrong arguments, a job file or a configuration that is not valid, an id that is not known or was used before, a key file that cannot be read',
    'The message names each problem with its place; `--help` shows what a command takes',
  ],
  unreachable: [
    'A server that the command needs does not answer',
    'The message names it; `holdfast check` tries all of them',
  ],
  systemFailure: [
    'The job failed for another reason than its script; or the command itself did',
    '`holdfast show ID` says whose fault it is and what happened',
  ],
  jobTimeout: ['The job reached its time limit', 'Raise `timeout` in the job file, or make the job faster'],
  canceled: ['The job was canceled', 'Nothing; `holdfast show ID` says when'],
};

const REASONS: Record<FailureReason, [cause: string, remedy: string]> = {
  script_failure: ['A command of the job ended with a code other than 0', 'Read the end of the trace'],
  runner_system_failure: [
    'What the job ran on failed: engine, machine, store, or Holdfast itself',
    'The trace names the cause; the table of codes below says what to do',
  ],
  job_execution_timeout: ['The job took longer than its `timeout`', 'Raise it, or make the job faster'],
  image_pull_failure: ['An image exists and could not be pulled', "Look at the registry and at the engine's disk"],
  runner_configuration_error: [
    'An image does not exist, or the job asks for what the configuration does not allow',
    'Correct the job, or have the operator allow it',
  ],
  runner_external_dependency_failure: [
    'Something outside did not answer, e.g. the registry',
    'Try again when it is back',
  ],
  runner_interrupted: [
    'The machine was lost while the script ran',
    'Try again; `retry` or `interruptible` does by itself',
  ],
  runner_unsupported: ['The job needs something that Holdfast does not do', 'The trace names it'],
  missing_dependency_failure: [
    'Artifacts of an earlier job are missing or have expired',
    'Run that job again, or keep its artifacts for longer',
  ],
  job_canceled: ['The job was canceled', 'Nothing'],
  unknown_failure: ['GitLab gave a reason that this version does not know', 'Read the trace'],
};

const ABOUT = `# Errors

Written from the code by \`npm run reference\`; a test compares both. Every message says what happened, where, and what to do; this
page is for looking up a code that \`holdfast show\`, the Temporal UI or a log names.
`;

/** The page `docs/errors.md`. */
export function errorsPage(): string {
  return [
    ABOUT,
    '## Exit codes\n\nOf `holdfast run`: the script’s own code when the script failed, else one of these. All commands share them.\n',
    table(
      ['code', 'cause', 'remedy'],
      (Object.keys(EXIT) as (keyof typeof EXIT)[]).map((name) => [String(EXIT[name]), ...EXIT_CODES[name]]),
    ),
    '## Failure reasons of jobs\n\n`failureReason` in `holdfast show --json`, `HoldfastFailureReason` in Temporal; GitLab’s words.\n',
    table(
      ['reason', 'cause', 'who must act', 'remedy'],
      Object.entries(REASONS).map(([reason, [cause, remedy]]) => [
        `\`${reason}\``,
        cause,
        FAULT_WORDS[REASON_FAULTS[reason as FailureReason]],
        remedy,
      ]),
    ),
    '## Codes of activities\n\n`type` of a failure in the Temporal UI, `code` in the life that `holdfast show` prints. One that is retried shows as a pending\nactivity with its last failure.\n',
    table(
      ['code', 'cause', 'who must act', 'remedy'],
      Object.entries<FaultEntry>(FAILURE_CODES).map(([code, { meaning, fault, remedy }]) => [
        `\`${code}\``,
        meaning,
        FAULT_WORDS[fault],
        remedy,
      ]),
    ),
  ].join('\n');
}
