import type Docker from 'dockerode';
import type { LogEvent } from '../engine.js';
import { followLog, LogConnectionLost, type LoggingContainer } from './follow-log.js';
import { inspect } from './inspect.js';
import { readMarkers } from './markers.js';
import { LABEL_NONCE } from './names.js';
import { createStepFilter, type StepFilter } from './step-log.js';
import type { StartListener, Starts } from './starts.js';

/** Between two looks at a container whose step has not begun, should it be started by another process. */
const LOOK_MS = 250;
/** After ten seconds: the step waits for something slow. */
const LOOK_SELDOM_MS = 500;
const EAGER_LOOKS = 40;
/** Looking at a container's files costs the engine much more than looking at its state. */
const FILES_EVERY = 4;

/**
 * The output of one step, live, from its first byte. Where the connection breaks, the log is read again from its beginning and
 * what was given already is skipped: the log is the same at every reading.
 */
export async function* readStepLog(
  container: LoggingContainer,
  step: string,
  signal: AbortSignal,
  starts: Starts,
): AsyncGenerator<LogEvent, void, undefined> {
  const listener = starts.listen(container.asked.id);
  try {
    yield* readWhenStarted(container, step, signal, listener);
  } finally {
    listener.close();
  }
}

async function* readWhenStarted(
  container: LoggingContainer,
  step: string,
  signal: AbortSignal,
  listener: StartListener,
): AsyncGenerator<LogEvent, void, undefined> {
  const unseen = createUnseen();
  let fateKnown = false;
  let started = false;
  for (let looks = 1; ; looks++) {
    signal.throwIfAborted();
    const info = await inspect(container.asked, signal);
    if (info === undefined) return;
    const stopped = !info.State.Running;
    if (info.State.Status !== 'created') {
      const filter = createStepFilter(info.Config.Labels[LABEL_NONCE] ?? '', step);
      const toItsEnd = yield* readToItsEnd(readOnce(container, filter, stopped, signal), unseen);
      if (toItsEnd && isOver(filter.phase(), stopped)) return;
      if (!toItsEnd) {
        await listener.wait(LOOK_SELDOM_MS, signal);
        continue;
      }
    }
    if (stopped) {
      // The step ended or was forbidden before this reading, and left no output.
      if (fateKnown) return;
      // It may have run since we looked at the container: one more reading, and that one is whole.
      if (started || looks % FILES_EVERY === 0) fateKnown = await isDecided(container.asked, step);
      if (fateKnown) continue;
    }
    started = await listener.wait(looks < EAGER_LOOKS ? LOOK_MS : LOOK_SELDOM_MS, signal);
  }
}

/** @returns false when the connection was lost on the way */
async function* readToItsEnd(
  reading: AsyncGenerator<LogEvent[], void, undefined>,
  unseen: (events: LogEvent[]) => LogEvent[],
): AsyncGenerator<LogEvent, boolean, undefined> {
  try {
    for await (const events of reading) yield* unseen(events);
    return true;
  } catch (error) {
    if (error instanceof LogConnectionLost) return false;
    throw error;
  }
}

/** Where the container had stopped before the reading began, that was whole: the step was cut off, and these were its last words. */
function isOver(phase: ReturnType<StepFilter['phase']>, stopped: boolean): boolean {
  return phase === 'after' || phase === 'over' || (phase === 'within' && stopped);
}

async function isDecided(container: Docker.Container, step: string): Promise<boolean> {
  const markers = await readMarkers(container, step);
  return markers.started || markers.stopRequested;
}

/** Lets through what no earlier reading has given. Counts bytes, since chunks fall differently at each reading. */
function createUnseen(): (events: LogEvent[]) => LogEvent[] {
  const given = { start: false, end: false, bytes: 0 };
  let reading = { bytes: 0 };
  return (events) =>
    events.flatMap((event): LogEvent[] => {
      if (event.kind === 'start') {
        reading = { bytes: 0 };
        if (given.start) return [];
        given.start = true;
        return [event];
      }
      if (event.kind === 'end') {
        if (given.end) return [];
        given.end = true;
        return [event];
      }
      const skip = Math.min(event.bytes.length, Math.max(0, given.bytes - reading.bytes));
      reading.bytes += event.bytes.length;
      given.bytes = Math.max(given.bytes, reading.bytes);
      return skip === event.bytes.length ? [] : [{ ...event, bytes: event.bytes.subarray(skip) }];
    });
}

/** One connection to the log; what came in one chunk comes as one event. */
async function* readOnce(
  container: LoggingContainer,
  filter: StepFilter,
  whole: boolean,
  signal: AbortSignal,
): AsyncGenerator<LogEvent[], void, undefined> {
  for await (const frames of followLog(container, signal)) {
    yield merged(frames.flatMap((frame) => filter.push(frame)));
    if (filter.phase() === 'over') return;
  }
  if (whole || filter.phase() === 'after') yield filter.flush();
}

function merged(events: LogEvent[]): LogEvent[] {
  const result: LogEvent[] = [];
  let pieces: Buffer[] = [];
  const close = () => {
    if (pieces.length > 0) result.push({ kind: 'data', bytes: Buffer.concat(pieces) });
    pieces = [];
  };
  for (const event of events) {
    if (event.kind === 'data') pieces.push(event.bytes);
    else {
      close();
      result.push(event);
    }
  }
  close();
  return result;
}
