import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { IMAGE } from '../bench.js';
import { abreast, succeeded, timedJob, untilQuiet } from '../jobs.js';
import type { Measurement } from '../measurement.js';
import { rssMiB } from '../process-usage.js';
import { until } from '../../test/support/processes.js';

const JOBS = 12;
/** A started worker has finished its start, and its collector has run. */
const SETTLE_MS = 10_000;

export const memory: Measurement = {
  name: 'memory',
  about: "the worker's resident memory: fresh, with jobs running, after a load",
  async run(bench) {
    const stack = await bench.ownStack({ engine: { capacity: JOBS } });
    await stack.worker().stop();
    // As people start it: the file carries options of Node.js.
    const { pid } = await stack.startWorker({ through: ([, , ...own]) => [resolve('bin/holdfast'), 'worker', ...own] });
    await delay(SETTLE_MS);
    const idle = rssMiB(pid);
    const jobs = await Promise.all(
      Array.from({ length: JOBS }, () =>
        stack.client.startJob({ image: IMAGE, script: ['until [ -e /shared/go-on ]; do sleep 0.2; done'] }),
      ),
    );
    await until(
      'all jobs running',
      async () => (await stack.client.listJobs({ state: 'running' })).length === JOBS,
      90_000,
    );
    await delay(SETTLE_MS / 2);
    const busy = rssMiB(pid);
    writeFileSync(join(stack.shared, 'go-on'), '');
    await Promise.all(jobs.map((job) => succeeded(job)));
    await untilQuiet(stack.engine);
    await abreast(4 * JOBS, 4, () => timedJob(stack, ['true']));
    await untilQuiet(stack.engine);
    await delay(SETTLE_MS);
    const after = rssMiB(pid);
    await stack.close();
    return {
      figures: {
        idleMiB: idle,
        [`with${String(JOBS)}JobsMiB`]: busy,
        perJobMiB: Math.round(((busy - idle) / JOBS) * 10) / 10,
        [`idleAfter${String(5 * JOBS)}JobsMiB`]: after,
      },
      aims: [{ what: 'worker, idle', value: idle, atMost: 180, unit: 'MiB' }],
    };
  },
};
