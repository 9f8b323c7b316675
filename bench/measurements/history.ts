import { startWithTraceLimit, succeeded, untilClosed } from '../jobs.js';
import type { Measurement } from '../measurement.js';
import { LONG_LOG, LONG_LOG_LIMIT } from './trace-speed.js';

/** What a job leaves in Temporal's database: it must not grow with the job's output. */
export const history: Measurement = {
  name: 'history',
  about: 'events and bytes of a job in Temporal, with no output and with 50 MB of it',
  async run(bench) {
    const stack = await bench.stack();
    const sizes: Record<string, { events: number; bytes: number }> = {};
    for (const [name, script] of [
      ['without output', 'true'],
      ['with 50 MB', LONG_LOG],
    ] as const) {
      const job = await startWithTraceLimit(stack, [script], LONG_LOG_LIMIT);
      await succeeded(job);
      await untilClosed(stack, job.workflowId);
      const { historyLength, historySize } = await stack.client.temporal.workflow.getHandle(job.workflowId).describe();
      sizes[name] = { events: historyLength, bytes: historySize ?? Number.NaN };
    }
    return {
      figures: sizes,
      aims: Object.entries(sizes).flatMap(([name, { events, bytes }]) => [
        { what: `history ${name}`, value: events, atMost: 80, unit: 'events' },
        { what: `history ${name}`, value: Math.round(bytes / 102.4) / 10, atMost: 64, unit: 'KB' },
      ]),
    };
  },
};
