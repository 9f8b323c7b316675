import { expect, it } from 'vitest';
import { toldWrongly } from './judge-job.js';
import type { SoakJob } from './soak-job.js';

const RESULT = { state: 'success', failureReason: null, exitCode: 0, traceBytes: 7 };
const TOLD = {
  ...RESULT,
  finishedAt: '2026-01-01T00:00:00Z',
  heldUntil: null,
  metrics: 'uploaded',
  fault: null,
  steps: [{ name: 'step_script', state: 'success' }],
  life: { events: [], activities: [{ activity: 'runStep', state: 'completed' }] },
};

function wrong(told: object, remote?: object): Promise<string[]> {
  const planned = { kind: 'plain' };
  const handle = { flight: () => Promise.resolve({ ...TOLD, ...told }) };
  return toldWrongly({ planned, subject: { remote }, handle, result: RESULT } as unknown as SoakJob);
}

it('finds whatever is told of a job that is over and is not so', async () => {
  expect(await wrong({})).toEqual([]);
  expect(await wrong({ state: 'failed', failureReason: 'script_failure', exitCode: 1, traceBytes: 8 })).toHaveLength(4);
  expect(await wrong({ finishedAt: null, heldUntil: 'tomorrow', fault: 'user', metrics: 'pending' })).toHaveLength(4);
  expect(await wrong({ steps: [{ name: 'after_script', state: 'pending' }] })).toEqual([
    'show tells the step after_script of a job that is over as pending',
  ]);
  expect(await wrong({ life: { activities: [{ activity: 'runStep', state: 'running' }] } })).toHaveLength(1);
  const remote = { status: 'success', final: { failureReason: undefined }, artifacts: [{ type: 'metrics_referee' }] };
  expect(await wrong({}, remote)).toEqual([]);
  expect(await wrong({}, { ...remote, artifacts: [], final: { failureReason: 'unknown_failure' } })).toHaveLength(2);
});
