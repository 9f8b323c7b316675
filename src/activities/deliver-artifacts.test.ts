import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, expect, it, vi } from 'vitest';
import type { DeliverInput, DeliverResult } from '../contracts/activities.js';
import type { JobApi } from '../gitlab/client.js';
import type { UploadArtifactOutcome } from '../gitlab/outcomes.js';
import { silentLogger } from '../telemetry/logger.js';
import { createDeliverArtifacts } from './deliver-artifacts.js';
import type { CoordinatorDeps } from './report-to-coordinator.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const ARTIFACT = { name: 'a', type: 'archive', format: 'zip', key: 'k', bytes: 5, files: 1 };

/** The activity against a GitLab that answers an upload so. */
async function deliver(uploadArtifact: JobApi['uploadArtifact'], leftMs?: number): Promise<DeliverResult> {
  const { deliverArtifacts } = createDeliverArtifacts({
    store: { size: () => Promise.resolve(5) },
    logger: silentLogger,
    lifecycle: { handover: new AbortController().signal, pausedJustNow: () => false },
    flight: { trouble: () => undefined },
    coordinators: { open: () => ({ job: { uploadArtifact }, silenceLimitMs: 55 * 60_000 }) },
  } as unknown as CoordinatorDeps);
  const givenOutAtMs = 1_700_000_000_000;
  const environment = new MockActivityEnvironment({ currentAttemptScheduledTimestampMs: givenOutAtMs });
  return await environment.run(deliverArtifacts, {
    workflowId: 'job/1',
    coordinator: {},
    artifacts: [ARTIFACT],
    ...(leftMs === undefined ? {} : { untilMs: givenOutAtMs + leftMs }),
  } as unknown as DeliverInput);
}

it('does not give up on a coordinator because the clock of this host is set an hour ahead', async () => {
  const wall = vi.spyOn(Date, 'now');
  const answers: UploadArtifactOutcome[] = [
    { kind: 'unavailable', reason: 'ECONNRESET', answered: false },
    { kind: 'stored' },
  ];

  const result = await deliver(() => {
    wall.mockReturnValue(performance.timeOrigin + performance.now() + 3_600_000);
    return Promise.resolve(answers.shift()!);
  });

  expect(result).toMatchObject({ ok: true });
});

it('gives up what does not answer within its limit, and says that it may yet be taken', async () => {
  const result = await deliver(
    (_artifact, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
    1,
  );

  expect(result).toMatchObject({ ok: false, late: true, text: expect.stringContaining('not taken in time') });
});

it.each(['canceled', null])('tells of a job that is over at the coordinator, as %s', async (jobStatus) => {
  const result = await deliver(() => Promise.resolve({ kind: 'refused', jobStatus }));

  expect(result).toMatchObject({ ok: false, ended: { as: jobStatus } });
});
