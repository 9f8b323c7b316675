import { abreast, timedJob, untilQuiet } from '../jobs.js';
import type { Measurement } from '../measurement.js';
import { dockerRun, secondsSince } from '../raw-docker.js';
import { percentile, ratios, rounded, summarize } from '../statistics.js';

const ABREAST = 4;
const JOBS = 24;

export const throughput: Measurement = {
  name: 'throughput',
  about: `${String(JOBS)} empty jobs, ${String(ABREAST)} at once, against as many \`docker run --rm\``,
  async run(bench) {
    const stack = await bench.stack();
    const ours: number[] = [];
    const raw: number[] = [];
    const each: number[] = [];
    for (let round = 0; round < bench.rounds(3); round++) {
      await untilQuiet(stack.engine);
      raw.push(await perMinute(() => dockerRun('true').then(({ seconds }) => seconds), []));
      ours.push(await perMinute(() => timedJob(stack, ['true']).then(({ seconds }) => seconds), each));
    }
    return {
      figures: {
        jobsPerMinute: summarize(ours),
        dockerRunsPerMinute: summarize(raw),
        ratio: summarize(ratios(ours, raw)),
        jobSeconds: summarize(each),
      },
      aims: [
        {
          what: `jobs a minute, ${String(ABREAST)} abreast`,
          value: rounded(percentile(ours, 50)),
          atLeast: 120,
          unit: '/min',
        },
      ],
    };
  },
};

async function perMinute(run: () => Promise<number>, each: number[]): Promise<number> {
  const startedAt = performance.now();
  each.push(...(await abreast(JOBS, ABREAST, run)));
  return (JOBS / secondsSince(startedAt)) * 60;
}
