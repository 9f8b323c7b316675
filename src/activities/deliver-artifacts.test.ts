import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, expect, it, vi } from 'vitest';
import type { UploadArtifactOutcome } from '../gitlab/outcomes.js';
import { silentLogger } from '../telemetry/logger.js';
import { createDeliverArtifacts } from './deliver-artifacts.js';
import type { CoordinatorDeps } from './report-to-coordinator.js';

afterEach(() => {
  vi.restoreAllMocks();
});

it('does not give up on a coordinator because the clock of this host is set an hour ahead', async () => {
  const wall = vi.spyOn(Date, 'now');
  const answers: UploadArtifactOutcome[] = [
    { kind: 'unavailable', reason: 'ECONNRESET', answered: false },
    { kind: 'stored' },
  ];
  const job = {
    uploadArtifact() {
      wall.mockReturnValue(performance.timeOrigin + performance.now() + 3_600_000);
      return Promise.resolve(answers.shift());
    },
  };
  const { deliverArtifacts } = createDeliverArtifacts({
    store: { size: () => Promise.resolve(5) },
    logger: silentLogger,
    lifecycle: { handover: new AbortController().signal, pausedJustNow: () => false },
    flight: { trouble: () => undefined },
    coordinators: { open: () => ({ job, silenceLimitMs: 55 * 60_000 }) },
  } as unknown as CoordinatorDeps);
  const artifact = { name: 'a', type: 'archive', format: 'zip', key: 'k', bytes: 5, files: 1 };

  const result = await new MockActivityEnvironment().run(deliverArtifacts, {
    workflowId: 'job/1',
    coordinator: {},
    artifacts: [artifact],
  } as unknown as Parameters<typeof deliverArtifacts>[0]);

  expect(result).toMatchObject({ ok: true });
});
