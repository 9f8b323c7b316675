import { setTimeout as delay } from 'node:timers/promises';
import { toActivityFailure } from '../../activities/failure.js';
import type { FailureDetails } from '../../contracts/activities.js';
import type { EngineOutage } from '../../contracts/engine-outage.js';
import { faultOf } from '../../contracts/faults.js';
import type { Engine } from '../../machines/engine.js';
import type { Logger } from '../../telemetry/logger.js';
import { createFailureStreak, type FailureStreak } from './failure-streak.js';
import { createLossCauses } from './loss-causes.js';
import type { OutageRecord } from './outage-record.js';

/** A shorter silence is a hiccup of which nobody needs to be told. */
const SILENT_AFTER_MS = 5_000;
const LONGEST_MESSAGE = 300;

/** A failure in the words that a job's flight record has for it. */
export interface EngineFailure {
  code: string;
  message: string;
}

/** Whether an engine is in rotation: one that fails job after job is poison for all that wait. */
export interface EngineHealth {
  machineMade(): void;
  /**
   * Failures that are not the engine's do not count.
   * @param ranMs how long the attempt took: one that began before the engine came back is no news of it
   */
  machineNotMade(failure: EngineFailure, ranMs: number): void;
  /** A script came to an end by itself: the engine serves jobs. */
  scriptEnded(): void;
  /** @param stepAgeMs how long ago the workflow asked for the step */
  machineLost(machine: string, reason: string, stepAgeMs: number): void;
  /** It was asked for free slots, and said something. */
  answered(): void;
  silent(error: unknown): void;
  isOut(): boolean;
  /** The engine is back: whoever waits for a slot may ask again. */
  onBack(listener: () => void): void;
  /** No more probes, and nothing of this worker stays in the store. */
  stop(): Promise<void>;
}

export interface EngineHealthDeps {
  engine: Pick<Engine, 'name' | 'probe'>;
  /** Failures in a row that take the engine out; 0: it always stays. */
  limit: number;
  logger: Logger;
  /** 1 while it is out. */
  gauge: { set(labels: { engine: string }, value: number): void };
  record: OutageRecord;
  firstProbeMs?: number;
  /** A clock that does not jump, in milliseconds. */
  now?: () => number;
}

/** Counts the failures in a row, and probes an engine that is out until it makes a sandbox again. Waiting jobs stay in their queue. */
export function createEngineHealth(deps: EngineHealthDeps): EngineHealth {
  const { engine, limit, logger, gauge, record, now = () => performance.now() } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const { firstProbeMs: firstPauseMs } = deps;
  const provisioning = createFailureStreak({ limit, probeProves: true, firstPauseMs });
  const machines = createFailureStreak({ limit, probeProves: false, firstPauseMs });
  const causes = createLossCauses(now);
  const listeners: (() => void)[] = [];
  let out = false;
  let backAtMs = -Infinity;
  let silence: { sinceMs: number; since: string; told: boolean } | undefined;
  gauge.set({ engine: engine.name }, 0);

  function takeOut(
    kind: 'provisioning' | 'machines',
    streak: FailureStreak,
    failures: number,
    last: EngineFailure,
  ): void {
    if (signal.aborted) return;
    out = true;
    gauge.set({ engine: engine.name }, 1);
    logger.error(
      { engine: engine.name, failures, last: last.code, message: last.message },
      kind === 'provisioning'
        ? 'The engine is taken out of rotation: it failed job after job. Jobs wait for another engine of the pool, or until it is well'
        : 'The engine is taken out of rotation: machine after machine was lost on it. Jobs wait for another engine of the pool, or until it is well',
    );
    const outage = { kind, failures, since: isoNow(), last: lastOf(last) };
    probeUntilBack(streak, outage).catch(() => undefined); // stopped
  }

  async function probeUntilBack(
    streak: FailureStreak,
    begun: Pick<EngineOutage, 'kind' | 'failures' | 'since' | 'last'>,
  ): Promise<void> {
    let { last } = begun;
    while (!signal.aborted) {
      const pauseMs = streak.nextPauseMs();
      record.tell({ ...begun, last, nextProbeAt: new Date(Date.now() + pauseMs).toISOString() });
      await delay(pauseMs, undefined, { signal });
      try {
        await engine.probe({ signal });
        putBack(streak);
        return;
      } catch (error) {
        if (signal.aborted) return;
        last = lastOf(failureOf(error));
        logger.warn(
          { engine: engine.name, error: String(error) },
          'The engine stays out of rotation: it could not make a sandbox',
        );
      }
    }
  }

  function putBack(streak: FailureStreak): void {
    out = false;
    backAtMs = now();
    streak.back();
    causes.settle();
    gauge.set({ engine: engine.name }, 0);
    record.clear();
    logger.info({ engine: engine.name }, 'The engine makes machines again and is back in rotation');
    for (const listener of listeners) listener();
  }

  return {
    machineMade: () => provisioning.succeeded(),
    machineNotMade(failure, ranMs) {
      if (out || !isEngines(failure.code) || now() - ranMs < backAtMs) return;
      const failures = provisioning.failed();
      if (failures !== undefined) takeOut('provisioning', provisioning, failures, failure);
    },
    scriptEnded: () => machines.succeeded(),
    machineLost(machine, reason, stepAgeMs) {
      if (!causes.isNew(machine, stepAgeMs) || out) return;
      logger.warn({ engine: engine.name, machine, reason }, 'A machine was lost under its step');
      const failures = machines.failed();
      const last = { code: 'MACHINE_GONE', message: `machine ${machine} was lost: ${reason}` };
      if (failures !== undefined) takeOut('machines', machines, failures, last);
    },
    answered() {
      if (silence?.told === true && !out) record.clear();
      silence = undefined;
    },
    silent(error) {
      silence ??= { sinceMs: now(), since: isoNow(), told: false };
      if (out || silence.told || now() - silence.sinceMs < SILENT_AFTER_MS) return;
      silence.told = true;
      const { since } = silence;
      record.tell({ kind: 'silent', since, failures: 1, last: lastOf(failureOf(error)), nextProbeAt: null });
    },
    isOut: () => out,
    onBack: (listener) => void listeners.push(listener),
    async stop() {
      stopping.abort();
      await record.close();
    },
  };
}

/** Of the images that jobs name: the engine makes machines of others, and a probe, which pulls nothing, would show nothing of it. */
const OF_REGISTRIES = ['REGISTRY_UNREACHABLE', 'IMAGE_PULL_FAILED'];

/** The store's failures are no engine's, and neither are a registry's, and users' mistakes. */
function isEngines(code: string): boolean {
  const { fault } = faultOf(code);
  return !code.startsWith('STORE_') && !OF_REGISTRIES.includes(code) && (fault === 'provider' || fault === 'runner');
}

/** What is thrown at us, as the flight record of a job has it. */
export function failureOf(error: unknown): EngineFailure {
  const { type, message, details } = toActivityFailure(error);
  const told = (details?.[0] as Partial<FailureDetails> | undefined)?.message;
  return { code: type ?? 'UNEXPECTED', message: told ?? message };
}

function lastOf({ code, message }: EngineFailure): EngineOutage['last'] {
  const words = message.replaceAll(/\s+/g, ' ').trim();
  const short = words.length > LONGEST_MESSAGE ? `${words.slice(0, LONGEST_MESSAGE - 1)}…` : words;
  return { code, message: short, at: isoNow() };
}

function isoNow(): string {
  return new Date().toISOString();
}
