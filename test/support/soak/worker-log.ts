/** What a worker may say at level `error` in a soak, each with the reason why somebody should be woken by it. */
const EXPECTED: readonly RegExp[] = [
  // The sandbox of a workflow has 5 s for a task, by a clock that goes on while the process is paused (SIGSTOP): Temporal gives it out again.
  /Script execution timed out after \d+ms/,
  // The spool is on the store's disk, which is full or read-only: from then on the job is in Temporal's hands alone.
  /(?:ENOSPC|EROFS).*A job could not be spooled/,
];

const FRAME = /^\s+at .+:\d+:\d+\)?$/;

/** Lines of workers' logs that a soak does not explain, each kind once: errors, and stacks of what nobody has caught. */
export function errorsOf(log: string): string[] {
  const found = new Map<string, number>();
  for (const line of log.split('\n')) {
    const error = errorOf(line);
    if (error !== undefined) found.set(error, (found.get(error) ?? 0) + 1);
  }
  return [...found].map(([error, times]) => `${String(times)} times in the log of a worker: ${error}`);
}

function errorOf(line: string): string | undefined {
  if (FRAME.test(line)) return `nobody has caught an error, ${line.trim()}`;
  const { level, msg } = parsed(line);
  if (level !== 'error' && level !== 'fatal') return undefined;
  return EXPECTED.some((expected) => expected.test(line)) ? undefined : `error "${String(msg)}"`;
}

/** A worker that is killed leaves half a line. */
function parsed(line: string): { level?: unknown; msg?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
