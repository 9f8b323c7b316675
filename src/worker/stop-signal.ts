/** `SIGTERM` (and Ctrl-C) hands running jobs over, `SIGQUIT` drains; a hand-over after SIGQUIT outranks it by the second signal. */
export function waitForStopSignal(): Promise<'handover' | 'drain'> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve('handover'));
    process.once('SIGINT', () => resolve('handover'));
    process.once('SIGQUIT', () => resolve('drain'));
  });
}
