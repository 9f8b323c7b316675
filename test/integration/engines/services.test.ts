import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareEngine, requestFor } from '../../support/bare-engine.js';
import { ensureTestImage, removeAll, TEST_IMAGE } from '../../support/docker.js';

const ENGINE = `t-${randomBytes(4).toString('hex')}`;

const engine = bareEngine(ENGINE, { namespaceId: 'namespace' });

beforeAll(ensureTestImage);

afterAll(() => {
  removeAll(ENGINE);
});

describe('a service that never listens', () => {
  it('is a warning after the time that it is given, and is not waited for where that is none', async () => {
    const silent = { name: TEST_IMAGE, aliases: ['db'], command: ['sleep', '60'], environment: {} };
    const acquire = (job: string, serviceWaitMs: number) =>
      engine.acquire(requestFor(engine, job, { services: [silent], serviceWaitMs }), {});
    const [waited, not] = await Promise.all([acquire('job/waits', 300), acquire('job/waits-not', 0)]);

    expect(waited.notes.join('\n')).toContain("probably didn't start properly: no port of 8000");
    expect(not.notes.join('\n')).not.toContain('WARNING');
    await Promise.all([engine.release(waited.machine, {}), engine.release(not.machine, {})]);
  });
});
