import type { Clock } from '../../gitlab/clock.js';
import type { Intake } from '../../gitlab/intake.js';
import type { Spool } from '../../gitlab/spool.js';
import type { Logger } from '../../telemetry/logger.js';

/** Between two looks; each may be a request that somebody pays for. */
const LOOK_MS = 10_000;
/** A worker that lives brings a job into its workflow within a second; longer where Temporal is away, and then nobody else can either. */
const LEFT_MS = 30_000;

/**
 * The spool, of which a look shows what somebody has left: at the first all that is there, since this process has left nothing yet; then
 * what has been there for a while and is in no hands here. Not by the time in its name, which is another host's.
 */
export function lookAgain(spool: Spool, clock: Pick<Clock, 'now'>): Spool {
  const inHand = new Set<string>();
  let seenSince: Map<string, number> | undefined;

  return {
    async put(raw) {
      const key = await spool.put(raw);
      inHand.add(key);
      return key;
    },
    async read(key) {
      const raw = await spool.read(key);
      if (raw !== undefined) inHand.add(key);
      return raw;
    },
    async list() {
      const keys = await spool.list();
      const before = seenSince;
      seenSince = new Map(keys.map((key) => [key, before?.get(key) ?? clock.now()]));
      const isLeft = (key: string) => clock.now() - (before?.get(key) ?? clock.now()) >= LEFT_MS;
      return keys.filter((key) => !inHand.has(key) && (before === undefined || isLeft(key)));
    },
    async remove(key) {
      await spool.remove(key);
      inHand.delete(key);
    },
    leave(key) {
      spool.leave(key);
      inHand.delete(key);
    },
  };
}

/** Goes on with what other processes have left in the spool, from the start to the stop. */
export interface SpoolWatch {
  /** Returns after the first look. Never rejects. */
  start(): Promise<void>;
  stop(): void;
}

/** Two workers that find the same do no harm: the workflow's id fences them. */
export function watchSpool(deps: {
  entry: string;
  intake: Pick<Intake, 'recover'>;
  clock: Clock;
  logger: Logger;
}): SpoolWatch {
  const { entry, intake, clock, logger } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;

  async function look(): Promise<void> {
    try {
      await intake.recover();
    } catch (error) {
      if (!signal.aborted) logger.error({ entry, error }, 'The spool cannot be read; its jobs wait for the next look');
    }
  }

  async function lookNowAndThen(): Promise<void> {
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      await look();
    }
  }

  return {
    async start() {
      await look();
      lookNowAndThen().catch(() => undefined); // stopped
    },
    stop: () => stopping.abort(),
  };
}
