import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { askStatus } from '../../client/ask-status.js';
import type { Config } from '../../config/schema.js';
import type { GitlabClient } from '../../gitlab/client.js';
import { systemClock } from '../../gitlab/clock.js';
import { createIntake } from '../../gitlab/intake.js';
import { createPoller } from '../../gitlab/poller.js';
import { createSpool } from '../../gitlab/spool.js';
import { createTokenFile } from '../../gitlab/token-file.js';
import { createTokenRenewal, type TokenRenewal } from '../../gitlab/token-renewal.js';
import { gitlabWorkflowId } from '../../contracts/names.js';
import type { KeyRing } from '../../codec/key-ring.js';
import type { CallOptions, Engine } from '../../machines/engine.js';
import type { Store } from '../../store/store.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Conversations } from '../../activities/report-to-coordinator.js';
import type { EngineHealths } from '../health/engine-healths.js';
import type { HandedOverJob } from '../take-in.js';
import { createBell } from './bell.js';
import { factsOfEntry, type GitlabEntries, type GitlabEntry } from './entries.js';
import { readPayload } from './read-payload.js';
import { isOwnReport } from './own-report.js';
import { createRoom, type Room } from './room.js';
import { lookAgain, watchSpool } from './watch-spool.js';
import { hasWorkflow, hostOf, listOpenJobs, startGitlabJob } from './start-workflow.js';

export interface GitlabDeps {
  config: Config;
  entries: GitlabEntries;
  client: Client;
  engines: ReadonlyMap<string, Engine>;
  healths: EngineHealths;
  store: Store;
  ring: KeyRing;
  logger: Logger;
}

/** All pollers of a worker. */
export interface GitlabIntake {
  /** What an earlier process has left goes first. */
  start(): Promise<void>;
  /** No new jobs; those that GitLab is just handing over are taken. At most twice the patience. */
  stop(patienceMs: number): Promise<void>;
  /** Jobs that GitLab has just handed to this process and that have no machine yet, as far as it knows. */
  withoutMachine(): HandedOverJob[];
  /**
   * Resolves when GitLab has been told the end of every job that this process reports on, or when the signal aborts. The reports
   * of those that wait for a machine, or have one of another worker, do not count: any worker goes on with them.
   */
  allTold(signal: AbortSignal): Promise<void>;
  readonly conversations: Conversations;
  leased(workflowId: string): void;
  released(): void;
}

/** How often a drain looks, should it have missed a hint. */
const LOOK_MS = 1_000;

export function createGitlabIntake(deps: GitlabDeps): GitlabIntake {
  const rooms = new Map<string, Room>();
  const parts = deps.entries.all.map(({ entry, client }) => {
    const room = rooms.get(entry.pool) ?? roomOf(deps, entry.pool);
    rooms.set(entry.pool, room);
    const intake = createIntake({
      entry: entry.name,
      spool: lookAgain(createSpool(deps.store, deps.ring, entry.name), systemClock),
      read: (raw) => readPayload(raw, factsOfEntry(entry)),
      client,
      async startWorkflow(job) {
        const outcome = await startGitlabJob(deps.client, deps.config.temporal.taskQueue, job);
        if (outcome.kind === 'started') room.started(gitlabWorkflowId(hostOf(entry.url), job.jobId), entry.name);
        return outcome;
      },
      hasWorkflow: (jobId) => hasWorkflow(deps.client, gitlabWorkflowId(hostOf(entry.url), jobId)),
      clock: systemClock,
      logger: deps.logger,
      silenceLimitMs: entry.giveUpAfter,
    });
    const poller = createPoller({
      entry: entry.name,
      client,
      hasRoom: (signal) => room.hasRoomFor(entry, intake.inHand(), signal),
      roomChanged: (ms, signal) => room.wait(ms, signal),
      take: (body) => intake.take(body),
      clock: systemClock,
      logger: deps.logger,
    });
    const watch = watchSpool({ entry: entry.name, intake, clock: systemClock, logger: deps.logger });
    return { intake, poller, watch, renewal: renewalOf(deps, entry, client) };
  });
  const all = [...rooms.values()];
  const open = new Set<string>();
  const bell = createBell();

  async function someAreOurs(): Promise<boolean> {
    const answers = await Promise.all([...open].map((workflowId) => isOurs(deps, workflowId)));
    return answers.includes(true);
  }

  return {
    async start() {
      for (const { poller, watch, renewal } of parts) {
        renewal.start();
        await watch.start();
        poller.start();
      }
    },
    async stop(patienceMs) {
      await Promise.all(
        parts.map(async ({ poller, intake, watch, renewal }) => {
          watch.stop();
          const renewed = renewal.stop();
          await poller.stop(patienceMs);
          await intake.stop(patienceMs);
          await orAfter(patienceMs, renewed);
        }),
      );
    },
    withoutMachine: () =>
      [...rooms].flatMap(([pool, room]) => room.withoutMachine().map((workflowId) => ({ workflowId, pool }))),
    leased: (workflowId) => all.forEach((room) => room.leased(workflowId)),
    async allTold(signal) {
      while (!signal.aborted && (await someAreOurs())) await bell.wait(LOOK_MS, signal);
    },
    conversations: {
      began: (workflowId) => open.add(workflowId),
      ended(workflowId, decided) {
        open.delete(workflowId);
        bell.ring();
        if (decided) all.forEach((room) => room.ended(workflowId));
      },
    },
    released: () => all.forEach((room) => room.released()),
  };
}

async function isOurs({ client, engines, logger }: GitlabDeps, workflowId: string): Promise<boolean> {
  try {
    return isOwnReport(await askStatus(client.workflow.getHandle(workflowId)), engines);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    logger.warn({ workflowId, error: String(error) }, 'A job cannot say how it stands; it is asked again');
    return true;
  }
}

async function orAfter(ms: number, work: Promise<void>): Promise<void> {
  const enough = new AbortController();
  await Promise.race([work, systemClock.sleep(ms, enough.signal).catch(() => undefined)]);
  enough.abort();
}

function renewalOf({ logger }: GitlabDeps, entry: GitlabEntry, client: GitlabClient): TokenRenewal {
  const file = entry.renewToken && entry.tokenFile !== undefined ? createTokenFile(entry.tokenFile) : undefined;
  return createTokenRenewal({ entry: entry.name, client, file, clock: systemClock, wallMs: Date.now, logger });
}

function roomOf({ config, engines, healths, client, logger }: GitlabDeps, pool: string): Room {
  const serving = config.engines.flatMap((settings) => {
    const engine = engines.get(settings.name);
    if (engine === undefined || !settings.pools.includes(pool)) return [];
    const isOut = () => healths.all.get(settings.name)?.isOut() === true;
    return [{ freeSlots: (options: CallOptions) => engine.freeSlots(options), isOut }];
  });
  if (serving.length === 0) {
    logger.warn({ pool }, 'A gitlab entry names a pool that no engine of this worker serves; it takes no jobs here');
  }
  return createRoom({ engines: serving, openJobs: () => listOpenJobs(client, pool), now: Date.now });
}
