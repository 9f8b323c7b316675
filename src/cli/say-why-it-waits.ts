import { setTimeout as delay } from 'node:timers/promises';
import type { JobHandle } from '../client.js';
import { describeOutage } from '../contracts/engine-outage.js';

const LOOK_MS = 5_000;

/** While a job waits for a machine: why, as far as it is known. Says each reason once. Ends with the wait or the signal. */
export async function sayWhyItWaits(
  job: Pick<JobHandle, 'status'>,
  options: { say: (text: string) => void; signal: AbortSignal; lookMs?: number },
): Promise<void> {
  const { say, signal, lookMs = LOOK_MS } = options;
  const told = new Set<string>();
  try {
    for (;;) {
      await delay(lookMs, undefined, { signal });
      const { state, outages = [], hindrances = [] } = await job.status();
      if (state !== 'pending' && state !== 'preparing') return;
      const reasons = [
        ...hindrances.map((text) => ({ which: text, text })),
        ...outages.map((outage) => ({
          which: [outage.engine, outage.worker, outage.since].join(' '),
          text: describeOutage(outage),
        })),
      ];
      for (const { which, text } of reasons) {
        if (!told.has(which)) say(`waiting: ${text}`);
        told.add(which);
      }
    }
  } catch {
    return; // The wait is over, or Temporal is away: whoever waits for the result hears of that.
  }
}
