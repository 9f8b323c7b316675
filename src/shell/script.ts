import type { ResolvedVariables } from '../job/variables.js';
import { quote } from './quote.js';

export interface ScriptContext {
  variables: ResolvedVariables;
  projectDirectory: string;
  /** Beside the project: file variables and `$GITLAB_ENV`. */
  temporaryDirectory: string;
}

/**
 * A whole step for `sh` or `bash`: variables, then the commands, each echoed and run in one shell that stops at the first
 * failure. The commands are one quoted word, so a script that was cut off is a syntax error instead of half a run.
 */
export function stepScript(context: ScriptContext & { commands: readonly string[] }): string {
  const body = context.commands.map((command) => `${echoCommand(command)}\n${command}\n`).join('');
  return `${preamble(context)}cd ${quote(context.projectDirectory)}\neval ${quote(body)}\nexit 0\n`;
}

/** What every script begins with. The values reach the shell in this file only: neither arguments nor `docker inspect` show them. */
export function preamble(context: ScriptContext): string {
  const { variables, temporaryDirectory } = context;
  return [
    'set -e',
    'if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi',
    `if [ ! -d ${quote(temporaryDirectory)} ]; then mkdir -p ${quote(temporaryDirectory)}; fi`,
    // What after_script prints as the job's status is set by the runner at that moment, and wins over the exports below.
    'holdfast_status=${CI_JOB_STATUS-}',
    ...variables.files.map(writeFile),
    ...variables.exports.map(({ key, value }) => exportLine(key, value)),
    'if [ -n "$holdfast_status" ]; then export CI_JOB_STATUS="$holdfast_status"; fi; unset holdfast_status',
    loadEnvironmentFile(`${temporaryDirectory}/gitlab_runner_env`),
    ...(isTrue(variables.lookup('CI_DEBUG_TRACE')) ? ['set -x'] : []),
    '',
  ].join('\n');
}

/** A secret one is made anew each time: that of an earlier step may be another user's, who alone may write it. */
function writeFile({ path, content, secret }: ResolvedVariables['files'][number]): string {
  const write = `printf '%s' ${quote(content)} >${quote(path)}`;
  return secret === true ? `rm -f ${quote(path)}; (umask 077; ${write})` : write;
}

/** Keys come checked from job files; a coordinator's may be anything, and one that is no name cannot be exported. */
function exportLine(key: string, value: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key)
    ? `export ${key}=${quote(value)}`
    : `: # ${JSON.stringify(key)} is no name for a shell`;
}

/** `$GITLAB_ENV`: lines `KEY=value` that an earlier step has written for the later ones. */
function loadEnvironmentFile(path: string): string {
  return `if [ -f ${quote(path)} ]; then while IFS= read -r holdfast_line || [ -n "$holdfast_line" ]; do case $holdfast_line in [A-Za-z_]*=*) export "$holdfast_line";; esac; done <${quote(path)}; unset holdfast_line; fi`;
}

/** `$ command` in bold green, as GitLab shows it. */
export function echoCommand(command: string): string {
  const trimmed = command.trim();
  if (trimmed === '') return 'echo';
  const [first = ''] = trimmed.split('\n');
  const shown = trimmed.includes('\n') ? `${first} # collapsed multi-line command` : first;
  return `printf '\\033[32;1m%s\\033[0;m\\n' ${quote(`$ ${shown}`)}`;
}

/** Go's words for it, which GitLab documents. */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['true', '1', 't', 'yes'].includes(value.toLowerCase());
}

export function isFalse(value: string | undefined): boolean {
  return value !== undefined && ['false', '0', 'f', 'no'].includes(value.toLowerCase());
}
