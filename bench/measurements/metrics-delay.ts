import { setTimeout as delay } from 'node:timers/promises';
import { startGitlabLane, type MetricsKind } from '../gitlab-lanes.js';
import type { Measurement } from '../measurement.js';
import { differences, percentile, rounded, summarize } from '../statistics.js';

/** Two scrapes at least: a machine that Prometheus knows. */
const SCRIPT_SECONDS = 12;
/** Not a divisor of the scrape interval: the ends of the scripts fall anywhere between two scrapes. */
const APART_MS = 3_700;
const KINDS: readonly MetricsKind[] = ['off', 'up', 'hanging'];

/** The same job beside each other in three workers: no metrics, a Prometheus, one that hangs. */
export const metricsDelay: Measurement = {
  name: 'metrics-delay',
  about: `what metrics add to the final status of a GitLab job of ${String(SCRIPT_SECONDS)} s`,
  async run(bench) {
    const stack = await bench.stack();
    const lanes = [];
    for (const kind of KINDS) lanes.push(await startGitlabLane(bench, stack, kind));
    const overhead: Record<MetricsKind, number[]> = { off: [], up: [], hanging: [] };
    const empty: Record<MetricsKind, number[]> = { off: [], up: [], hanging: [] };
    for (let round = 0; round < bench.rounds(4); round++) {
      for (const [index, lane] of lanes.entries()) {
        await lane.quiet();
        empty[KINDS[index] ?? 'off'].push(await lane.run());
      }
      for (const lane of lanes) await lane.quiet();
      await Promise.all(
        lanes.map(async (lane, index) => {
          await delay(index * APART_MS);
          overhead[KINDS[index] ?? 'off'].push(
            (await lane.run({ script: [`sleep ${String(SCRIPT_SECONDS)}`] })) - SCRIPT_SECONDS,
          );
        }),
      );
    }
    const sent = Object.fromEntries(lanes.map((lane, index) => [KINDS[index] ?? 'off', lane.sentMetrics()]));
    for (const lane of lanes) await lane.close();
    const added = (of: Record<MetricsKind, number[]>, kind: MetricsKind) => differences(of[kind], of.off);
    return {
      figures: {
        overheadSeconds: {
          off: summarize(overhead.off),
          up: summarize(overhead.up),
          hanging: summarize(overhead.hanging),
        },
        addedSeconds: { up: summarize(added(overhead, 'up')), hanging: summarize(added(overhead, 'hanging')) },
        // Of as many jobs as there are rounds: what costs nothing because it came to nothing would show here.
        metricsSent: sent,
        addedToEmptyJobSeconds: { up: summarize(added(empty, 'up')), hanging: summarize(added(empty, 'hanging')) },
      },
      aims: [
        { what: 'added with Prometheus up, median', value: ms(added(overhead, 'up')), atMost: 100, unit: 'ms' },
        {
          what: 'added with Prometheus hanging, median',
          value: ms(added(overhead, 'hanging')),
          atMost: 2000,
          unit: 'ms',
        },
      ],
    };
  },
};

function ms(seconds: number[]): number {
  return rounded(percentile(seconds, 50) * 1000);
}
