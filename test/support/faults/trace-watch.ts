const LOOK_MS = 50;

/** Notes when a job's trace grew, so that a scenario can say how long it stood still. */
export interface TraceWatch {
  /** Unix milliseconds of the first growth after this moment; undefined: none yet. */
  movedAfter(ms: number): number | undefined;
  stop(): void;
}

/** @param growths gets when it grew: Unix milliseconds */
export function watchTrace(traceSize: () => Promise<number>, growths: number[] = []): TraceWatch {
  let size = 0;
  const timer = setInterval(() => {
    void traceSize().then(
      (now) => {
        if (now > size) growths.push(Date.now());
        size = Math.max(size, now);
      },
      () => undefined, // a store that a scenario has broken
    );
  }, LOOK_MS);
  return {
    movedAfter: (ms) => growths.find((at) => at > ms),
    stop: () => clearInterval(timer),
  };
}
