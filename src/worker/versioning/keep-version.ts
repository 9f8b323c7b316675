import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../telemetry/logger.js';
import { takesOverFrom } from './build-id.js';
import type { Deployment, PinnedWorkflow } from './deployment.js';

/** A worker that polls renews its word at least once a minute; this long without one, there is none. */
const POLLER_GONE_MS = 90_000;
/** A worker answers a query at once; a busy one within this time. */
const ANSWER_MS = 3_000;
/** So many unanswered looks in a row, and a version counts as gone. */
const MISSES = 2;
/** A version exists for the server when its first worker has polled. */
const PROMOTE_AGAIN_MS = 100;
const PROMOTE_PATIENCE_MS = 30_000;
/** Between the first looks, which an upgrade in place waits for. */
const FIRST_LOOK_MS = 500;

export interface KeepVersionDeps {
  deployment: Deployment;
  /** Null: this worker runs without a version. */
  buildId: string | null;
  lookEveryMs: number;
  /** False: somebody else says which version is current. */
  promote: boolean;
  logger: Logger;
  now?: () => number;
}

/**
 * Keeps the promise that an upgrade breaks no open job. A job stays with the version that began it while a worker of that version
 * is there; when there is none any more, it goes on with the current one. And a version is current while a worker of it is there.
 */
export interface KeptVersion {
  /** Call when the workers poll: becomes the current version, unless a later one is. Does not wait for it. */
  start(): void;
  /** For `/readyz`. @throws Error while new jobs may still go elsewhere */
  assertSettled(): void;
  /** One look; the worker makes one now and then. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

export function keepVersion(deps: KeepVersionDeps): KeptVersion {
  const { deployment, buildId, logger, now = Date.now } = deps;
  const stopping = new AbortController();
  const misses = new Map<string, number>();
  /** The current version that had no worker at the last look, and for how many looks. */
  let unserved: { version: string; looks: number } | undefined;
  let running: Promise<void> = Promise.resolve();
  let settled = !deps.promote;

  async function takeOver(): Promise<void> {
    const current = await deployment.current();
    const takes = buildId === null ? current !== undefined : takesOverFrom(buildId, current);
    if (takes) await promote(current);
  }

  async function promote(before: string | undefined): Promise<void> {
    const until = now() + PROMOTE_PATIENCE_MS;
    for (;;) {
      try {
        await deployment.promote(buildId);
        logger.info(
          { version: buildId ?? 'none', before: before ?? 'none' },
          'New jobs go to this version of the worker',
        );
        return;
      } catch (error) {
        if (stopping.signal.aborted || now() > until) throw error;
        await delay(PROMOTE_AGAIN_MS, undefined, { signal: stopping.signal });
      }
    }
  }

  /**
   * New jobs would wait for ever for a current version that nobody serves (a rolled-back upgrade). One that was promoted a moment ago is
   * not yet among the pollers: its own word is not taken back before the second look.
   */
  async function replaceIfGone(current: string | undefined): Promise<boolean> {
    if (!deps.promote) return false;
    const pollers = await deployment.recentPollers(POLLER_GONE_MS);
    if (current !== undefined && !isGone(current, pollers)) return false;
    await promote(current);
    return true;
  }

  function isGone(current: string, pollers: ReadonlySet<string>): boolean {
    if (pollers.has(current)) unserved = undefined;
    else unserved = { version: current, looks: unserved?.version === current ? unserved.looks + 1 : 1 };
    return unserved !== undefined && unserved.looks >= MISSES;
  }

  async function look(): Promise<void> {
    const current = await deployment.current();
    if (current === (buildId ?? undefined)) unserved = undefined;
    else if (!(await replaceIfGone(current))) return;
    const versions = new Map<string, PinnedWorkflow[]>();
    for (const workflow of await deployment.pinnedElsewhere(buildId)) {
      versions.set(workflow.version, [...(versions.get(workflow.version) ?? []), workflow]);
    }
    for (const version of misses.keys()) if (!versions.has(version)) misses.delete(version);
    for (const [version, workflows] of versions) await rescueIfGone(version, workflows);
  }

  async function rescueIfGone(version: string, workflows: readonly PinnedWorkflow[]): Promise<void> {
    const [any] = workflows;
    if (any === undefined) return;
    if (await deployment.answers(any.workflowId, ANSWER_MS)) {
      misses.delete(version);
      return;
    }
    const missed = (misses.get(version) ?? 0) + 1;
    misses.set(version, missed);
    if (missed < MISSES) return;
    for (const { workflowId } of workflows) await deployment.move(workflowId, buildId).catch(notOpenAnyMore);
    logger.warn(
      { from: version, to: buildId ?? 'none', jobs: workflows.length },
      'No worker of an earlier version is left; its jobs go on with this one',
    );
  }

  /** It may have closed meanwhile; one that could not be moved is found again at the next look. */
  function notOpenAnyMore(error: unknown): void {
    logger.debug({ error: String(error) }, 'A job was not moved to another version');
  }

  async function lookAndSay(): Promise<void> {
    try {
      await look();
    } catch (error) {
      if (stopping.signal.aborted) return;
      logger.warn({ error: String(error) }, 'The versions of the workers could not be looked at; it is tried again');
    }
  }

  async function lookNowAndThen(): Promise<void> {
    for (let looks = 0; !stopping.signal.aborted; looks++) {
      await lookAndSay();
      const pauseMs = looks < MISSES ? FIRST_LOOK_MS : deps.lookEveryMs;
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  async function begin(): Promise<void> {
    if (deps.promote) {
      await takeOver().catch((error: unknown) => {
        if (stopping.signal.aborted) return;
        logger.error(
          { version: buildId, deployment: deployment.name, error: String(error) },
          'This version could not be made the current one: new jobs wait until it is ("temporal worker deployment set-current-version")',
        );
      });
    }
    settled = true;
    await lookNowAndThen();
  }

  return {
    start() {
      running = begin();
    },
    assertSettled() {
      if (!settled) throw new Error('This version is not the current one yet: new jobs may wait');
    },
    look,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
