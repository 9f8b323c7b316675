import { setTimeout as delay } from 'node:timers/promises';
import type { ReplayMetricsResult } from '../contracts/ci-job.js';
import { shortJobId } from '../contracts/names.js';

export type ReplayOutcome = ReplayMetricsResult['outcome'];

export interface ReplayedJob {
  id: string;
  workflowId: string;
  outcome: ReplayOutcome;
  reason: string;
}

export interface ReplayManyOptions {
  /** Replays at once. */
  atOnce: number;
  /** Begun a second, at most. */
  perSecond: number;
  onResult: (result: ReplayedJob) => void;
  /** Nothing new is begun after it; what runs is waited for. */
  signal: AbortSignal;
}

/**
 * Replays each job once, in order, at a bounded rate. What one of them throws is its outcome and not the end of the others.
 * @returns the results in the order of the ids; those that were not begun have none
 */
export async function replayMany(
  workflowIds: readonly string[],
  replay: (workflowId: string) => Promise<Pick<ReplayMetricsResult, 'outcome' | 'reason'>>,
  { atOnce, perSecond, onResult, signal }: ReplayManyOptions,
): Promise<ReplayedJob[]> {
  const ids = [...new Set(workflowIds)];
  const results = new Map<string, ReplayedJob>();
  const spacingMs = 1000 / perSecond;
  let nextAtMs = Date.now();
  let next = 0;

  async function turn(): Promise<void> {
    const waitMs = nextAtMs - Date.now();
    nextAtMs = Math.max(nextAtMs, Date.now()) + spacingMs;
    if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }

  async function work(): Promise<void> {
    for (let workflowId = ids[next++]; workflowId !== undefined; workflowId = ids[next++]) {
      await turn();
      if (signal.aborted) return;
      const told = await replay(workflowId).catch((error: unknown) => ({
        outcome: 'failed' as const,
        reason: error instanceof Error ? error.message : String(error),
      }));
      const result = { id: shortJobId(workflowId), workflowId, outcome: told.outcome, reason: told.reason };
      results.set(workflowId, result);
      onResult(result);
    }
  }

  await Promise.all(Array.from({ length: Math.min(atOnce, ids.length) }, work));
  return ids.flatMap((id) => results.get(id) ?? []);
}
