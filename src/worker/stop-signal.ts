/** How this process was told to stop. */
export interface StopSignals {
  /** The first word: `handover` leaves running jobs to another worker, `drain` ends them here. */
  first: Promise<'handover' | 'drain'>;
  /** Resolves when a hand-over was asked for, be it first or during a drain. */
  handover: Promise<void>;
}

/**
 * `SIGTERM` (and Ctrl-C) hands running jobs over, `SIGQUIT` drains; a hand-over outranks a drain that has begun. Repeated ones change
 * nothing: by default a second one would kill the process before it has removed its warm sandboxes. Its stop is short anyway.
 */
export function watchStopSignals(): StopSignals {
  const handover = new Promise<void>((resolve) => {
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
  });
  const drain = new Promise<void>((resolve) => process.on('SIGQUIT', resolve));
  return {
    handover,
    first: Promise.race([handover.then(() => 'handover' as const), drain.then(() => 'drain' as const)]),
  };
}
