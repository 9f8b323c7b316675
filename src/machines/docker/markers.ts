import type Docker from 'dockerode';
import { readSmallFiles } from './files.js';
import { markerPrefix } from './step-log.js';
import { stepDirectory } from './wrapper.js';

/** What a step has left in its container, durable over restarts of everything. */
export interface StepMarkers {
  started: boolean;
  exitCode: number | undefined;
  /** Processes of a run that failed had been killed for want of memory. */
  oomKilled: boolean;
  stopRequested: boolean;
  /** When the container had been started last (State.StartedAt) before it was told to run this step. */
  startedBefore?: string;
}

export async function readMarkers(container: Docker.Container, step: string): Promise<StepMarkers> {
  const files = await readSmallFiles(container, stepDirectory(step), ['started', 'exit', 'stop', 'started-before']);
  const exit = files?.get('exit');
  const startedBefore = files?.get('started-before');
  return {
    started: files?.has('started') ?? false,
    ...(parseExit(exit ?? '') ?? { exitCode: undefined, oomKilled: false }),
    stopRequested: files?.has('stop') ?? false,
    ...(startedBefore === undefined ? {} : { startedBefore }),
  };
}

/** Enough for a marker, and for a few lines of what a script has left running behind it. */
const LAST_LINES = 10;

/**
 * The same from the end of the container's log, where a run that came to its end has said it.
 * @returns undefined where nothing of this step's end is to be found: the files know
 */
export async function readLastWords(
  container: Docker.Container,
  nonce: string,
  step: string,
): Promise<StepMarkers | undefined> {
  const log = await container.logs({ follow: false, stdout: true, stderr: true, tail: LAST_LINES });
  return toMarkers(log, nonce, step);
}

/** @param log as the engine sends it: the frames' headers do not disturb, for a marker that one has cut is not found */
export function toMarkers(log: Buffer, nonce: string, step: string): StepMarkers | undefined {
  const text = log.toString('latin1');
  const begin = `${markerPrefix(nonce).toString('latin1')}${step}:end:`;
  const at = text.lastIndexOf(begin);
  const end = at === -1 ? -1 : text.indexOf('\x1e', at + begin.length);
  if (end === -1) return undefined;
  const result = text.slice(at + begin.length, end);
  if (result === 'stopped') return { started: true, exitCode: undefined, oomKilled: false, stopRequested: true };
  const exit = parseExit(result);
  return exit === undefined ? undefined : { started: true, ...exit, stopRequested: false };
}

/** `137` or `137:oom`, as the wrapper says it. */
function parseExit(text: string): { exitCode: number; oomKilled: boolean } | undefined {
  const match = /^(\d{1,3})(:oom)?$/.exec(text);
  return match === null ? undefined : { exitCode: Number(match[1]), oomKilled: match[2] !== undefined };
}
