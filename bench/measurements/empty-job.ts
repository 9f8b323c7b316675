import { timedJob, untilQuiet } from '../jobs.js';
import type { Measurement } from '../measurement.js';
import { dockerRun } from '../raw-docker.js';
import { percentile, ratios, rounded, summarize } from '../statistics.js';

/** From the client's call to the final status, against the plainest way to run the same command in the same image. */
export const emptyJob: Measurement = {
  name: 'empty-job',
  about: 'a job of `true` against `docker run --rm` of `true`, in turn',
  async run(bench) {
    const stack = await bench.stack();
    const ours: number[] = [];
    const raw: number[] = [];
    await untilQuiet(stack.engine);
    await timedJob(stack, ['true']); // the first job of a process pays for its caches
    for (let round = 0; round < bench.rounds(12); round++) {
      await untilQuiet(stack.engine);
      raw.push((await dockerRun('true')).seconds);
      ours.push((await timedJob(stack, ['true'])).seconds);
    }
    const ratio = rounded(percentile(ratios(ours, raw), 50));
    return {
      figures: {
        jobSeconds: summarize(ours),
        dockerRunSeconds: summarize(raw),
        ratio: summarize(ratios(ours, raw)),
      },
      aims: [
        { what: 'empty job, median', value: summarize(ours).median, atMost: 1, unit: 's' },
        { what: 'empty job by docker run', value: ratio, atMost: 1.5, unit: '×' },
      ],
    };
  },
};
