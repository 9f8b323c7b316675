import { IMAGE } from '../bench.js';
import { succeeded, untilQuiet } from '../jobs.js';
import type { Measurement } from '../measurement.js';
import { percentile, rounded, summarize } from '../statistics.js';

const LINES = 200;

/** Each line says when it was printed; container and reader have the same clock. */
export const traceLag: Measurement = {
  name: 'trace-lag',
  about: `from a line's printing to a reader of the live trace having it, ${String(LINES)} lines`,
  async run(bench) {
    const stack = await bench.stack();
    await untilQuiet(stack.engine);
    const script = `i=0; while [ $i -lt ${String(LINES)} ]; do date +at%s%N; sleep 0.05; i=$((i+1)); done`;
    const job = await stack.client.startJob({ image: IMAGE, script: [script] });
    const lags: number[] = [];
    let rest = '';
    for await (const chunk of job.trace()) {
      const nowMs = Date.now();
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const printed = /^at(\d{13})\d{6}$/.exec(line)?.[1];
        if (printed !== undefined) lags.push((nowMs - Number(printed)) / 1000);
      }
    }
    await succeeded(job);
    if (lags.length !== LINES) throw new Error(`${String(lags.length)} of ${String(LINES)} lines came`);
    return {
      figures: { lagSeconds: summarize(lags) },
      aims: [{ what: 'lag of a line, p95', value: rounded(percentile(lags, 95)), atMost: 1, unit: 's' }],
    };
  },
};
