/**
 * The lines that we add to a trace, in GitLab's formats (gitlab-protocol section 4.1), so that GitLab folds, colours and times
 * them. Pure and without Node: the workflow writes them too.
 */

const CLEAR_LINE = '\x1b[0K';
const RESET = '\x1b[0;m';

const STAGE_TITLES: Record<string, string> = {
  prepare_executor: 'Preparing the "docker" executor',
  prepare_script: 'Preparing environment',
  get_sources: 'Getting source from Git repository',
  restore_cache: 'Restoring cache',
  download_artifacts: 'Downloading artifacts',
  after_script: 'Running after_script',
  archive_cache: 'Saving cache for successful job',
  archive_cache_on_failure: 'Saving cache for failed job',
  upload_artifacts_on_success: 'Uploading artifacts for successful job',
  upload_artifacts_on_failure: 'Uploading artifacts for failed job',
};

export function stageTitle(stage: string): string {
  return STAGE_TITLES[stage] ?? `Executing "${stage}" stage of the job script`;
}

export function sectionStart(name: string, unixSeconds: number): string {
  return `section_start:${String(unixSeconds)}:${name}\r${CLEAR_LINE}`;
}

export function sectionEnd(name: string, unixSeconds: number): string {
  return `section_end:${String(unixSeconds)}:${name}\r${CLEAR_LINE}`;
}

/** For a coordinator that does not fold them. */
export function withoutSections(text: string): string {
  return text.replaceAll(/section_(?:start|end):\d+:[\w-]+\r\x1b\[0K/g, '');
}

export function stageTitleLine(title: string): string {
  return `${CLEAR_LINE}\x1b[36;1m${title}${RESET}\n`;
}

export function plainLine(text: string): string {
  return `${CLEAR_LINE}${text}${RESET}\n`;
}

export function infoLine(text: string): string {
  return `${CLEAR_LINE}\x1b[32;1m${text}${RESET}\n`;
}

export function warningLine(text: string): string {
  return `${CLEAR_LINE}\x1b[0;33mWARNING: ${text}${RESET}\n`;
}

export function errorLine(text: string): string {
  return `${CLEAR_LINE}\x1b[31;1mERROR: ${text}${RESET}\n`;
}

/** A whole section whose content is known. */
export function stageSection(stage: string, startedAtMs: number, finishedAtMs: number, content: string): string {
  return (
    sectionStart(stage, Math.floor(startedAtMs / 1000)) +
    stageTitleLine(stageTitle(stage)) +
    content +
    sectionEnd(stage, Math.floor(finishedAtMs / 1000))
  );
}

/** The last line of a trace; people and tools look for it. */
export function finalLine(
  outcome:
    | { kind: 'success' }
    | { kind: 'canceled'; message: string }
    | { kind: 'failed'; reason: string; exitCode: number | null; message: string },
): string {
  switch (outcome.kind) {
    case 'success':
      return infoLine('Job succeeded');
    case 'canceled':
      return errorLine(`Job failed: ${outcome.message}`);
    case 'failed': {
      const ours = outcome.reason === 'runner_system_failure';
      return errorLine(`Job failed${ours ? ' (system failure)' : ''}: ${outcome.message}`);
    }
  }
}
