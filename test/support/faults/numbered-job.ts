import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TEST_IMAGE } from '../docker.js';

/** A job that prints numbered lines and counts its own runs in a file that outlives it. */
export interface NumberedJob {
  id: string;
  /** How many; a lasting job itself says in the end how many there were. */
  lines: number | 'lasting';
  /** A job file's content. */
  definition: Record<string, unknown>;
}

/**
 * @param options.afterSeconds how long after_script takes
 * @param options.pauseSeconds between two lines
 * @param options.burst so many further lines at once; not of a lasting job
 * @param options.lines `lasting`: until `letEnd`
 * @param options.before commands before the lines, `then` after them; `{id}` in anything that is given is the job's
 * @param options.more keywords of the job file that the scenario wants besides
 */
export function numberedJob(
  options: {
    lines?: NumberedJob['lines'];
    pauseSeconds?: number;
    burst?: number;
    afterSeconds?: number;
    before?: string[];
    then?: string[];
    more?: Record<string, unknown>;
  } = {},
): NumberedJob {
  const { lines = 60, pauseSeconds = 0.1, burst = 0, afterSeconds = 0, before = [], then = [], more = {} } = options;
  const id = `fault-${randomBytes(4).toString('hex')}`;
  const goesOn = lines === 'lasting' ? `! [ -e /shared/${id}.end ]` : `[ $i -lt ${String(lines)} ]`;
  const definition = {
    image: TEST_IMAGE,
    script: [
      `echo run >>/shared/${id}.runs`,
      ...before,
      `i=0; while ${goesOn}; do i=$((i+1)); echo "line $i of ${id}"; sleep ${String(pauseSeconds)}; done; echo $i >/shared/${id}.lines`,
      ...(burst === 0 ? [] : [`seq $((i+1)) $((i+${String(burst)})) | awk '{ print "line " $1 " of ${id}" }'`]),
      ...then,
    ],
    after_script: [`echo run >>/shared/${id}.after; sleep ${String(afterSeconds)}`, `echo "after_script of ${id}"`],
    ...more,
  };
  return {
    id,
    lines: lines === 'lasting' ? lines : lines + burst,
    definition: JSON.parse(JSON.stringify(definition).replaceAll('{id}', id)) as Record<string, unknown>,
  };
}

/** Ends the lines of a lasting job; harmless for any other. */
export function letEnd(job: NumberedJob, shared: string): void {
  writeFileSync(endOf(job, shared), '');
}

export function isEnding(job: NumberedJob, shared: string): boolean {
  return existsSync(endOf(job, shared));
}

function endOf({ id }: NumberedJob, shared: string): string {
  return join(shared, `${id}.end`);
}

/** The same job as GitLab would hand it over: fields of the payload (`test/support/coordinator/payload.ts`). */
export function asPayload(job: NumberedJob): Record<string, unknown> {
  const { image, script, after_script, ...more } = job.definition as {
    image: unknown;
    script: string[];
    after_script: string[];
  };
  const step = { timeout: 3600, when: 'on_success', allow_failure: false };
  return {
    image: typeof image === 'string' ? { name: image } : image,
    steps: [
      { ...step, name: 'script', script },
      { ...step, name: 'after_script', script: after_script, when: 'always', allow_failure: true },
    ],
    ...more,
  };
}

/** What became of a job's output, and how often its script ran. */
export interface Tally {
  runs: number;
  afterRuns: number;
  linesLost: number;
  linesDoubled: number;
  outOfOrder: number;
}

export function tally(job: NumberedJob, trace: string, shared: string): Tally {
  const runs = trace.split(RUN_AGAIN);
  const numbers = runs.map((run) =>
    [...run.matchAll(new RegExp(`^line (\\d+) of ${job.id}$`, 'gm'))].map((match) => Number(match[1])),
  );
  const seen = new Set(numbers.flat());
  const expected = Array.from({ length: linesOf(job, shared) }, (_, index) => index + 1);
  return {
    runs: countLines(join(shared, `${job.id}.runs`)),
    afterRuns: countLines(join(shared, `${job.id}.after`)),
    linesLost: expected.filter((number) => !seen.has(number)).length,
    linesDoubled: runs.reduce((sum, run) => sum + doubledLines(run), 0),
    outOfOrder: numbers.reduce((sum, run) => sum + descents(run), 0),
  };
}

/** How many it was to print; 0: a lasting job has not ended its lines. */
export function linesOf({ id, lines }: NumberedJob, shared: string): number {
  if (lines !== 'lasting') return lines;
  const file = join(shared, `${id}.lines`);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

/** What the trace says between two runs of a job whose machine was lost. */
const RUN_AGAIN = /^.*Running the job again on another machine.*$/m;

function descents(numbers: number[]): number {
  return numbers.filter((number, index) => index > 0 && number < (numbers[index - 1] ?? 0)).length;
}

/** Within one run every line is the only one of its kind: ours, and those that Holdfast adds. */
function doubledLines(run: string): number {
  const lines = run.split('\n').filter((line) => line.trim() !== '');
  return lines.length - new Set(lines).size;
}

function countLines(file: string): number {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}
