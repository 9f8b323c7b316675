import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { LogEvent } from '../engine.js';
import { isNotFound } from './errors.js';
import { readMarkers } from './markers.js';
import { LABEL_NONCE } from './names.js';
import { createFrameReader, createStepFilter, type StepFilter } from './step-log.js';
import type { StartListener, Starts } from './starts.js';
import { inspect } from './steps.js';

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
  container: Docker.Container,
  step: string,
  signal: AbortSignal,
  starts: Starts,
): AsyncGenerator<LogEvent, void, undefined> {
  const listener = starts.listen(container.id);
  try {
    yield* readWhenStarted(container, step, signal, listener);
  } finally {
    listener.close();
  }
}

async function* readWhenStarted(
  container: Docker.Container,
  step: string,
  signal: AbortSignal,
  listener: StartListener,
): AsyncGenerator<LogEvent, void, undefined> {
  const unseen = createUnseen();
  let fateKnown = false;
  let started = false;
  for (let looks = 1; ; looks++) {
    signal.throwIfAborted();
    const info = await inspect(container);
    if (info === undefined) return;
    const stopped = !info.State.Running;
    if (info.State.Status !== 'created') {
      const filter = createStepFilter(info.Config.Labels[LABEL_NONCE] ?? '', step);
      for await (const events of readOnce(container, filter, stopped, signal)) yield* unseen(events);
      if (filter.phase() === 'after' || filter.phase() === 'over') return;
      // It had stopped before this reading began, so the reading was whole: the step was cut off, and these were its last words.
      if (filter.phase() === 'within' && stopped) return;
    }
    if (stopped) {
      // The step ended or was forbidden before this reading, and left no output.
      if (fateKnown) return;
      // It may have run since we looked at the container: one more reading, and that one is whole.
      if (started || looks % FILES_EVERY === 0) fateKnown = await isDecided(container, step);
      if (fateKnown) continue;
    }
    started = await listener.wait(looks < EAGER_LOOKS ? LOOK_MS : LOOK_SELDOM_MS, signal);
  }
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
  container: Docker.Container,
  filter: StepFilter,
  whole: boolean,
  signal: AbortSignal,
): AsyncGenerator<LogEvent[], void, undefined> {
  const frames = createFrameReader();
  for await (const chunk of await openLog(container, signal)) {
    yield merged(frames.push(chunk).flatMap((frame) => filter.push(frame)));
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

/** `follow` also when the container has stopped: such a log just ends, and dockerode does not hold it in memory as a whole. */
async function openLog(container: Docker.Container, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
  const options = { follow: true, stdout: true, stderr: true, timestamps: true, abortSignal: signal } as const;
  try {
    return (await container.logs(options)) as unknown as AsyncIterable<Buffer>;
  } catch (error) {
    if (isNotFound(error)) return Readable.from([]);
    throw error;
  }
}
