/** Between two beats. */
const BEAT_MS = 1_000;
/** So late a beat is only after a pause of the whole process; below the heartbeat timeout of activities (8 s). */
const PAUSE_MS = 5_000;
/** How long after a pause every task is taken for one of its leavings. */
const SUSPECT_MS = 2_000;
/** And how long those are that were given out before its end: so late they arrive at a machine that is busy with all that waited. */
const LATE_MS = 20_000;

/**
 * Whether this process was paused (SIGSTOP, a suspended machine) until a moment ago. Meanwhile Temporal may have answered its
 * polls: what it finds then are tasks of long ago, which may have been given to others since.
 */
export interface Pulse {
  /** @param givenOutAtMs Unix time at which the server made the task ready */
  pausedJustNow(givenOutAtMs: number): boolean;
  stop(): void;
}

/**
 * @param now a clock that goes on while the process is paused, in milliseconds, and does not jump
 * @param wallClock Unix time
 */
export function startPulse(now: () => number = () => performance.now(), wallClock: () => number = Date.now): Pulse {
  let beatAtMs = now();
  let wokeAtMs = -Infinity;

  function beat(): void {
    if (now() - beatAtMs > PAUSE_MS) wokeAtMs = now();
    beatAtMs = now();
  }

  const timer = setInterval(beat, BEAT_MS);
  timer.unref();
  return {
    pausedJustNow(givenOutAtMs) {
      beat();
      const awakeMs = now() - wokeAtMs;
      return awakeMs < SUSPECT_MS || (awakeMs < LATE_MS && givenOutAtMs < wallClock() - awakeMs);
    },
    stop: () => clearInterval(timer),
  };
}
