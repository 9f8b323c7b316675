import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { StepExit, StepRun } from '../engine.js';
import { ignoringGone, isConflict, isNotFound, messageOf, shellNeverBegan, startedAnyhow } from './errors.js';
import { inspect } from './inspect.js';
import { failedWithItsMachine } from './machine-end.js';
import { readLastWords, readMarkers, type StepMarkers } from './markers.js';
import { LABEL_FIRST_STEP, LABEL_NONCE } from './names.js';
import { fenceFiles, REFUSED_EXIT_CODE, stepFiles, stopFiles } from './wrapper.js';

/**
 * The decision table of law 1. Every caller goes round it until the step's fate is known; who calls, how often, and how many at
 * a time does not matter, because the wrapper in the container lets a script begin only once.
 *
 * | container | step's markers | decision |
 * | --- | --- | --- |
 * | missing, or being removed | – | lost |
 * | running | – | wait until it stops, look again |
 * | stopped | exit | that is the result; but lost where it failed as its machine was ending |
 * | stopped | stop asked for | stopped |
 * | stopped | started, no exit | out of memory, unless its machine was ending; or killed from outside: lost; but look again if it was started meanwhile |
 * | stopped | none | name the step, start the container, look again |
 * | stopped, and was started for it | none | killed from outside: lost; by itself: nothing of ours can run in it, the image's mistake |
 * | never started | not looked at: the fence does | as for none |
 *
 * An entry point runs before the wrapper, and may do anything: a container is started once for a step, whatever comes of it, also by
 * the next attempt. A container in which no shell began at its first start is not started for a later step.
 *
 * Looking at files costs the engine fifty times what a look at its log or its own memory does; so a result is read from the
 * container's last words, where they are to be found.
 * @param docker the engine that has the container
 * @param onStart called whenever the container was started
 */
export async function runStep(
  docker: Pick<Docker, 'getContainer'>,
  container: Docker.Container,
  step: StepRun,
  signal: AbortSignal,
  onStart: () => void,
): Promise<StepExit> {
  for (;;) {
    signal.throwIfAborted();
    const info = await inspect(container);
    if (info === undefined) return GONE;
    if (info.State.Running) {
      await untilStopped(container, signal);
      continue;
    }
    if (info.State.Status !== 'created') {
      const nonce = info.Config.Labels[LABEL_NONCE] ?? '';
      const markers = (await readLastWords(container, nonce, step.name)) ?? (await readMarkers(container, step.name));
      if (markers.exitCode !== undefined) return await resultOf(docker, info, markers, signal);
      if (markers.started) {
        // Another attempt may have started it between the two looks, at the container and at its files.
        if (await wasStartedSince(container, info)) continue;
        return await resultOf(docker, info, markers, signal);
      }
      if (await wasStartedFor(container, step, info, markers))
        return await endBeforeTheFirstWord(docker, container, info, signal);
    }
    const fate = await start(container, step, info, { signal, onStart });
    if (fate !== undefined) return fate;
  }
}

const GONE: StepExit = { kind: 'lost', reason: 'its container is gone' };

const WITH_ITS_MACHINE: StepExit = {
  kind: 'lost',
  reason: 'it was ending when the step failed; was the engine stopped?',
};

async function resultOf(
  docker: Pick<Docker, 'getContainer'>,
  info: Docker.ContainerInspectInfo,
  markers: StepMarkers,
  signal: AbortSignal,
): Promise<StepExit> {
  const exit = exitOf(info, markers);
  const failed = exit.kind === 'exited' && exit.exitCode !== 0;
  return failed && (await failedWithItsMachine(docker, info, signal)) ? WITH_ITS_MACHINE : exit;
}

async function wasStartedSince(container: Docker.Container, { State }: Docker.ContainerInspectInfo): Promise<boolean> {
  const now = await inspect(container);
  return now !== undefined && (now.State.Running || now.State.StartedAt !== State.StartedAt);
}

async function wasStartedFor(
  container: Docker.Container,
  step: StepRun,
  info: Docker.ContainerInspectInfo,
  markers: StepMarkers,
): Promise<boolean> {
  const first = info.Config.Labels[LABEL_FIRST_STEP];
  if (first === step.name) return true;
  if (markers.startedBefore !== undefined) return markers.startedBefore !== info.State.StartedAt;
  return first !== undefined && !(await readMarkers(container, first)).started;
}

/** What a container ends with that the kernel, the engine or a person has killed. */
const KILLED = [137, 143];

/** @throws MachineError `BAD_OPTIONS` where the container came to its end by itself */
async function endBeforeTheFirstWord(
  docker: Pick<Docker, 'getContainer'>,
  container: Docker.Container,
  info: Docker.ContainerInspectInfo,
  signal: AbortSignal,
): Promise<StepExit> {
  if (await failedWithItsMachine(docker, info, signal)) return WITH_ITS_MACHINE;
  // Its files may not have been found because they were being removed.
  const now = await inspect(container, signal);
  if (now === undefined) return GONE;
  const { ExitCode: exitCode, OOMKilled: oomKilled } = info.State;
  if (exitCode === REFUSED_EXIT_CODE)
    return { kind: 'lost', reason: 'its container cannot be written to; is the disk full?' };
  if (!oomKilled && !KILLED.includes(exitCode)) throw shellNeverBegan(exitCode);
  return exitOf(info, { started: false, exitCode: undefined, oomKilled: false, stopRequested: false });
}

/** The container was made with the name of this step in it, and nobody has put another there. */
function isNamed(info: Docker.ContainerInspectInfo, step: StepRun): boolean {
  const first = info.State.Status === 'created' && info.Config.Labels[LABEL_FIRST_STEP] === step.name;
  return first && Object.keys(step.environment).length === 0;
}

function exitOf(info: Docker.ContainerInspectInfo, markers: StepMarkers): StepExit {
  const times = timesOf(info.State);
  if (markers.stopRequested) return { kind: 'stopped', ...times };
  if (markers.exitCode !== undefined) {
    return {
      kind: 'exited',
      exitCode: markers.exitCode,
      oomKilled: markers.oomKilled || (info.State.OOMKilled && markers.exitCode !== 0),
      ...times,
    };
  }
  if (info.State.OOMKilled) return { kind: 'exited', exitCode: 137, oomKilled: true, ...times };
  const error = info.State.Error === '' ? '' : `: ${info.State.Error}`;
  return {
    kind: 'lost',
    reason: `its container was ended from outside (exit code ${String(info.State.ExitCode)}${error}); was the engine restarted?`,
  };
}

/** The engine notes a start when it has heard of it, and an end as it came: of a process that is over at once the end comes first. */
function timesOf({ StartedAt, FinishedAt }: Docker.ContainerInspectInfo['State']) {
  const isOvertaken = Date.parse(FinishedAt) < Date.parse(StartedAt);
  return { startedAt: isOvertaken ? FinishedAt : StartedAt, finishedAt: FinishedAt };
}

/** @returns what became of the step, where it cannot start any more */
async function start(
  container: Docker.Container,
  step: StepRun,
  info: Docker.ContainerInspectInfo,
  { signal, onStart }: { signal: AbortSignal; onStart: () => void },
): Promise<StepExit | undefined> {
  if (!isNamed(info, step)) await container.putArchive(await stepFiles(step, info.State.StartedAt), { path: '/' });
  // Waiting begins before the start, so that the shortest script is not missed.
  const stopped = container.wait({ condition: 'next-exit', abortSignal: signal }) as Promise<unknown>;
  stopped.catch(() => undefined);
  try {
    // Whether it was this start or another attempt's is settled by the wrapper: a script begins only once.
    await startedAnyhow(container.start());
  } catch (error) {
    if (await hasLostNetwork(container, error, signal)) {
      await container.putArchive(await fenceFiles(step.name), { path: '/' });
      return { kind: 'lost', reason: 'the network of its machine is gone; was the engine restarted?' };
    }
    if (!isConflict(error)) throw error;
  }
  onStart();
  await toldOrSeen(container, stopped, signal);
  return undefined;
}

/** The sandbox has stopped (an engine that restarts ends all) or was removed: the network to join is gone, and with it the machine. */
async function hasLostNetwork(container: Docker.Container, error: unknown, signal: AbortSignal): Promise<boolean> {
  if (isConflict(error)) return /non.?running container/i.test(messageOf(error));
  const namesContainer = isNotFound(error) && /no such container/i.test(messageOf(error));
  return namesContainer && (await inspect(container, signal)) !== undefined;
}

async function untilStopped(container: Docker.Container, signal: AbortSignal): Promise<void> {
  const stopped = container.wait({ condition: 'not-running', abortSignal: signal }) as Promise<unknown>;
  await toldOrSeen(container, stopped, signal);
}

/** How often to look by ourselves. */
const SEE_MS = 3_000;

/**
 * Until the engine tells that the container has stopped, or a look at it does: a connection that has died without a word tells nothing,
 * and neither does a script that runs for long.
 * @throws when the engine cannot be reached
 */
async function toldOrSeen(container: Docker.Container, told: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const heard = told.catch(async (error: unknown) => {
    signal.throwIfAborted();
    // The next look at the container says what happened; a broken connection is not news about the step.
    if (!isNotFound(error)) await delay(200, undefined, { signal: both });
  });
  const seen = (async () => {
    do await delay(SEE_MS, undefined, { signal: both });
    while (await isRunning(container));
  })();
  try {
    await Promise.race([heard, seen]);
  } finally {
    over.abort();
    for (const loser of [heard, seen]) loser.catch(() => undefined);
  }
}

/** Between two looks at a container that has been told to stop. */
const LOOK_MS = 100;

/** The container runs later steps, too: only the run that was to be stopped is, however long this process was paused meanwhile. */
export async function stopStep(
  container: Docker.Container,
  step: string,
  graceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const before = await inspect(container);
  if (before === undefined) return;
  const markers = await readMarkers(container, step);
  if (markers.exitCode !== undefined) return;
  await container.putArchive(await stopFiles(step, markers.started), { path: '/' });
  const now = await inspect(container);
  // What was not running then was about to.
  const run = before.State.Running ? before.State.StartedAt : now?.State.StartedAt;
  const goesOn = async () => {
    const state = (await inspect(container))?.State;
    return state?.Running === true && state.StartedAt === run;
  };
  if (!(await goesOn())) return;
  await terminate(container);
  for (
    const deadline = performance.now() + graceMs;
    performance.now() < deadline;
    await delay(LOOK_MS, undefined, { signal })
  ) {
    if (!(await goesOn())) return;
  }
  if (await goesOn()) await ignoringGone(container.kill({ signal: 'SIGKILL' }));
  while (await goesOn()) await untilStopped(container, signal);
}

/** SIGTERM to everything but PID 1 (which records the end), the youngest first, as GitLab's executor does. */
const TERMINATE =
  'l=; for d in /proc/[0-9]*; do l="${d#/proc/} $l"; done; for p in $l; do [ "$p" = 1 ] || [ "$p" = "$$" ] || kill -TERM "$p"; done';

async function terminate(container: Docker.Container): Promise<void> {
  try {
    const exec = await container.exec({ Cmd: ['sh', '-c', TERMINATE], User: '0' });
    await exec.start({ Detach: true });
  } catch (error) {
    // It stopped meanwhile, or cannot run a shell: SIGKILL follows after the grace.
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}

async function isRunning(container: Docker.Container): Promise<boolean> {
  return (await inspect(container))?.State.Running ?? false;
}
