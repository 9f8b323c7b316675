import { expect, it } from 'vitest';
import { describeOutage, type EngineOutage } from './engine-outage.js';

const OUTAGE: EngineOutage = {
  engine: 'local',
  pools: ['default'],
  worker: '7@host',
  kind: 'provisioning',
  since: '2026-01-01T00:00:00.000Z',
  failures: 5,
  last: { code: 'ENGINE_FAULT', message: 'no space left on device.', at: '2026-01-01T00:00:00.000Z' },
  nextProbeAt: '2026-01-01T00:00:02.000Z',
  confirmedAt: '2026-01-01T00:00:00.000Z',
};

it('says which engine takes no jobs, since when, why, and when it is tried again', () => {
  expect(describeOutage(OUTAGE)).toBe(
    'Engine "local" is out of rotation since 2026-01-01T00:00:00.000Z: 5 machines in a row could not be made; the last failure was ENGINE_FAULT: no space left on device. The next probe is at 2026-01-01T00:00:02.000Z (worker 7@host).',
  );
  expect(describeOutage({ ...OUTAGE, kind: 'machines', failures: 1 })).toContain(
    ': machines were lost again; the last',
  );
  expect(describeOutage({ ...OUTAGE, kind: 'silent', nextProbeAt: null })).toContain(
    'does not answer since 2026-01-01T00:00:00.000Z; the last failure was ENGINE_FAULT: no space left on device. It is asked again every second',
  );
});
