/** How this process was told to stop. */
export interface StopSignals {
  /** The first word: `handover` leaves running jobs to another worker, `drain` ends them here. */
  first: Promise<'handover' | 'drain'>;
  /** Resolves when a hand-over was asked for, be it first or during a drain. */
  handover: Promise<void>;
}

/** `SIGTERM` (and Ctrl-C) hands running jobs over, `SIGQUIT` drains; a hand-over outranks a drain that has begun. */
export function watchStopSignals(): StopSignals {
  const handover = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  const drain = new Promise<void>((resolve) => process.once('SIGQUIT', resolve));
  return {
    handover,
    first: Promise.race([handover.then(() => 'handover' as const), drain.then(() => 'drain' as const)]),
  };
}
