import { IMAGE } from '../bench.js';
import { succeeded, untilQuiet } from '../jobs.js';
import type { Measurement } from '../measurement.js';
import { dockerRun, secondsSince } from '../raw-docker.js';
import { summarize } from '../statistics.js';

const WORD = 'first-words-of-the-script';

/** When a person sees something, and when they see what their script says. */
export const firstByte: Measurement = {
  name: 'first-byte',
  about: "the trace's first byte, and the script's, against `docker run`'s first byte",
  async run(bench) {
    const stack = await bench.stack();
    const traces: number[] = [];
    const scripts: number[] = [];
    const raw: number[] = [];
    for (let round = 0; round < bench.rounds(8); round++) {
      await untilQuiet(stack.engine);
      const reference = await dockerRun('echo', WORD);
      raw.push(reference.firstByteSeconds ?? Number.NaN);
      const startedAt = performance.now();
      // Pieces of its own, so that the echoed command does not look like its output.
      const job = await stack.client.startJob({
        image: IMAGE,
        script: [`printf '%s%s\\n' ${WORD.slice(0, 5)} ${WORD.slice(5)}`],
      });
      let seen = '';
      let first: number | undefined;
      let script: number | undefined;
      for await (const chunk of job.trace()) {
        first ??= secondsSince(startedAt);
        seen += chunk.toString('utf8');
        if (seen.includes(WORD)) script ??= secondsSince(startedAt);
      }
      await succeeded(job);
      traces.push(first ?? Number.NaN);
      scripts.push(script ?? Number.NaN);
    }
    return {
      figures: {
        traceSeconds: summarize(traces),
        scriptSeconds: summarize(scripts),
        dockerRunSeconds: summarize(raw),
      },
      aims: [{ what: 'first byte of the trace, median', value: summarize(traces).median, atMost: 0.5, unit: 's' }],
    };
  },
};
