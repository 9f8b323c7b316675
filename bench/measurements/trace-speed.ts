import { startWithTraceLimit, succeeded, untilQuiet } from '../jobs.js';
import type { Measurement } from '../measurement.js';
import { dockerRun, secondsSince } from '../raw-docker.js';
import { ratios, summarize } from '../statistics.js';

const BYTES = 50_000_000;
const LINE = '0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcdefghijklmnopqrstuvwxyz .,';
/** 50 MB in lines of 80 bytes; `yes` always ends by a broken pipe. */
export const LONG_LOG = `yes '${LINE}' | head -c ${String(BYTES)} || true`;
export const LONG_LOG_LIMIT = 2 * BYTES;

/** From the client's call to the last byte in the reader's hands, the whole job included. */
export const traceSpeed: Measurement = {
  name: 'trace-speed',
  about: 'a log of 50 MB read live to its end, against `docker run` of the same command',
  async run(bench) {
    const stack = await bench.stack();
    const ours: number[] = [];
    const raw: number[] = [];
    for (let round = 0; round < bench.rounds(3); round++) {
      await untilQuiet(stack.engine);
      raw.push((await dockerRun('sh', '-c', LONG_LOG)).seconds);
      const startedAt = performance.now();
      const job = await startWithTraceLimit(stack, [LONG_LOG], LONG_LOG_LIMIT);
      let bytes = 0;
      for await (const chunk of job.trace()) bytes += chunk.length;
      ours.push(secondsSince(startedAt));
      await succeeded(job);
      if (bytes < BYTES) throw new Error(`Only ${String(bytes)} bytes of ${String(BYTES)} came`);
    }
    const speed = (seconds: number) => BYTES / 1e6 / seconds;
    return {
      figures: {
        megabytesPerSecond: summarize(ours.map(speed)),
        dockerRunMegabytesPerSecond: summarize(raw.map(speed)),
        ratioOfTimes: summarize(ratios(ours, raw)),
      },
      aims: [],
    };
  },
};
