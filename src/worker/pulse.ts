/** Between two beats. */
const BEAT_MS = 1_000;
/** So late a beat is only after a pause of the whole process; below the heartbeat timeout of activities (8 s). */
const PAUSE_MS = 5_000;
/** How long after a pause its leavings still arrive. */
const SUSPECT_MS = 2_000;

/**
 * Whether this process was paused (SIGSTOP, a suspended machine) until a moment ago. Meanwhile Temporal may have answered its
 * polls: what it finds then are tasks of long ago, which may have been given to others since.
 */
export interface Pulse {
  pausedJustNow(): boolean;
  stop(): void;
}

/** @param now a clock that goes on while the process is paused, in milliseconds, and does not jump */
export function startPulse(now: () => number = () => performance.now()): Pulse {
  let beatAtMs = now();
  let wokeAtMs = -Infinity;

  function beat(): void {
    if (now() - beatAtMs > PAUSE_MS) wokeAtMs = now();
    beatAtMs = now();
  }

  const timer = setInterval(beat, BEAT_MS);
  timer.unref();
  return {
    pausedJustNow() {
      beat();
      return now() - wokeAtMs < SUSPECT_MS;
    },
    stop: () => clearInterval(timer),
  };
}
