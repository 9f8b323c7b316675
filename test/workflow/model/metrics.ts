import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, MetricsResult } from '../../../src/contracts/activities.js';
import type { ArtifactStatus } from '../../../src/contracts/ci-job.js';
import type { JobHistory } from './job-history.js';

/** Far below what the workflow waits for an upload that it has told to stop. */
const IN_TIME_MS = 2_000;

/** Prometheus and the coordinator's place for metrics, as a history has them. */
export interface FakeMetrics {
  behaviour: Pick<Activities, 'collectMetrics'>;
  upload(): ReturnType<Activities['deliverArtifacts']>;
  /** The final status is being decided: nothing may be sent any more. */
  finished(): void;
  /** Attempts whose machine was asked for all that it has to tell. */
  readonly collected: ReadonlySet<number>;
  /** Attempt whose metrics the coordinator has. */
  sent(): number | undefined;
  slow(): boolean;
}

/**
 * @param obey until the activity is cancelled
 * @param misdeed tells what must never be
 */
export function createFakeMetrics(
  history: JobHistory,
  obey: () => Promise<never>,
  misdeed: (what: string) => void,
): FakeMetrics {
  const collected = new Set<number>();
  const early = new Set<number>();
  let made: number | undefined;
  let sent: number | undefined;
  let uploads = 0;
  let isFinished = false;
  let slow = false;
  let finish: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (finish = resolve));
  const isFirst = () => Context.current().info.attempt === 1;

  async function samples(): Promise<void> {
    if (history.metrics === 'failing') throw new Error('Prometheus does not answer');
    if (history.metrics === 'hanging') await obey();
    if (history.metrics === 'late') await end.then(() => delay(50));
  }

  async function collectEarly(attempt: number): Promise<MetricsResult> {
    if (!history.coordinator) misdeed('metrics were collected for a coordinator that there is not');
    if (isFirst() && early.has(attempt)) misdeed(`the metrics of machine ${String(attempt)} were offered twice`);
    if (collected.has(attempt)) misdeed(`the metrics of machine ${String(attempt)} were offered too late`);
    early.add(attempt);
    await samples();
    made = attempt;
    return { state: 'stored', outcome: 'stored', reason: '', flags: [], artifact: ARTIFACT };
  }

  async function collectAll(attempt: number): Promise<MetricsResult> {
    if (isFirst() && collected.has(attempt)) misdeed(`the metrics of machine ${String(attempt)} were collected twice`);
    collected.add(attempt);
    await samples();
    const state = history.coordinator && sent !== attempt ? 'stored' : 'uploaded';
    return { state, outcome: state, reason: '', flags: [] };
  }

  return {
    collected,
    sent: () => sent,
    slow: () => slow,
    finished() {
      isFinished = true;
      finish();
    },
    behaviour: {
      async collectMetrics({ attempt, early: isEarly }) {
        if (history.metrics === 'off') misdeed('metrics were collected that are off');
        return await (isEarly === true ? collectEarly(attempt) : collectAll(attempt));
      },
    },
    async upload() {
      if (isFirst()) uploads += 1;
      if (uploads > 1) misdeed('metrics were sent twice');
      if (Date.now() - Context.current().info.scheduledTimestampMs > IN_TIME_MS) slow = true;
      if (isFinished) misdeed('metrics were sent after the final status');
      if (history.metricsUpload === 'hanging') await obey();
      if (history.metricsUpload === 'broken') throw ApplicationFailure.nonRetryable('it is too large');
      sent = made;
      return { ok: true, text: '' };
    },
  };
}

const ARTIFACT: ArtifactStatus = {
  name: 'metrics_referee.json',
  type: 'metrics_referee',
  format: 'gzip',
  bytes: 1,
  files: 1,
  key: 'some/metrics_referee',
};
