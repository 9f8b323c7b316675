import { MetricsDocument } from '../../../src/metrics/document.js';
import { jobKeys } from '../../../src/store/keys.js';
import { createMemoryCage, whyNoMemoryCage, type MemoryCage } from '../../support/faults/memory-cage.js';
import { present } from '../../support/faults/play.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { createWorkerClock, whyNoWorkerClock, type WorkerClock } from '../../support/faults/worker-clock.js';
import { until } from '../../support/processes.js';
import type { Stack } from '../../support/stack.js';
import { signOfLifeHeard, UNTIL_HEARD } from './coordinator-answers.js';

const HOUR_S = 3_600;

/** @param within what the next worker runs in; absent: as it would by itself */
async function restart(stack: Stack, within?: Pick<MemoryCage, 'through'>): Promise<void> {
  await stack.worker().stop('SIGTERM');
  await stack.startWorker(within === undefined ? {} : { through: (command) => within.through(command) });
}

/** The kernel itself kills it, at a limit of its control group. */
function outOfMemory(): Scenario {
  let cage: MemoryCage | undefined;
  return {
    name: "worker killed by the kernel's OOM killer while the script runs",
    cannot: whyNoMemoryCage,
    job: { lines: 'lasting' },
    gitlab: { updateInterval: 1 },
    async prepare({ stack }) {
      cage = createMemoryCage();
      await restart(stack, cage);
    },
    async run(scene) {
      const { fill, killedByKernel, remove } = present(cage, 'a cage');
      try {
        await scene.line(10);
        fill();
        await scene.stack.worker().exited;
        await until('the word of the engine that the kernel killed the worker for memory', killedByKernel, 15_000);
      } finally {
        remove();
      }
      await scene.stack.startWorker();
      scene.repaired();
    },
  };
}

/** By the clock of its HTTP server, in seconds. */
async function offsetOf({ stack }: Scene): Promise<number> {
  const answer = await fetch(`${stack.metricsUrl}/healthz`);
  await answer.arrayBuffer();
  return (Date.parse(answer.headers.get('date') ?? '') - Date.now()) / 1000;
}

/** A job that prints, is silent for longer than GitLab's sign of life is due, and has files to send afterwards. */
function clockBack(): Scenario {
  let clock: WorkerClock | undefined;
  return {
    name: "worker's clock jumps back by an hour while the script runs: nothing waits for the hour, no duration is negative",
    cannot: whyNoWorkerClock,
    job: {
      lines: 100,
      before: ['head -c 100000 /dev/urandom >made'],
      then: UNTIL_HEARD,
      more: { artifacts: [{ name: 'kept', paths: ['made'], when: 'always' }] },
    },
    gitlab: { updateInterval: 1 },
    async prepare({ stack }) {
      clock = createWorkerClock();
      await restart(stack, clock);
    },
    async run(scene) {
      await scene.line(10);
      present(clock, 'a clock').set(-HOUR_S);
      await until(
        "the hour on the worker's clock",
        async () => Math.abs((await offsetOf(scene)) + HOUR_S) < 60,
        10_000,
      );
      scene.repaired();
      await signOfLifeHeard(scene);
    },
    async after(scene) {
      await checkAfterwards(scene).finally(async () => {
        await restart(scene.stack);
        clock?.remove();
      });
    },
  };
}

async function checkAfterwards(scene: Scene): Promise<void> {
  const { artifacts } = scene.remote();
  if (!artifacts.some(({ type }) => type === 'archive')) throw new Error('The artifact did not arrive');
  await until('the metrics of the job', async () => (await scene.status()).metrics === 'uploaded', 30_000);
  // What was sent with the job is completed after the last scrape.
  await until('the whole metrics', async () => (await metricsOf(scene)).complete !== false, 30_000);
  const { series, totals } = await metricsOf(scene);
  if (totals === undefined || !series.some(({ query }) => query === 'cpu'))
    throw new Error('The metrics of the job lack what needs the scrape after its end');
  const { life, ...status } = await scene.handle.flight();
  const spans = [status, ...status.steps, ...life.activities.flatMap(({ attempts }) => attempts)];
  const negative = spans.filter(
    ({ startedAt, finishedAt }) => startedAt !== null && finishedAt !== null && finishedAt < startedAt,
  );
  if (negative.length > 0) throw new Error(`Negative durations: ${JSON.stringify(negative)}`);
  const backward = sectionsOf(await scene.trace()).filter(({ seconds }) => seconds < 0);
  if (backward.length > 0)
    throw new Error(`Sections of the trace that end before they begin: ${JSON.stringify(backward)}`);
}

async function metricsOf({ stack, handle }: Scene): Promise<MetricsDocument> {
  const kept = await stack.client.store.read(jobKeys.metrics(handle.workflowId));
  return MetricsDocument.parse(JSON.parse(kept?.toString('utf8') ?? '{}'));
}

function sectionsOf(trace: string): { name: string; seconds: number }[] {
  const starts = new Map<string, number>();
  for (const [, at = '', name = ''] of trace.matchAll(/section_start:(\d+):(\w+)/g)) starts.set(name, Number(at));
  return [...trace.matchAll(/section_end:(\d+):(\w+)/g)].map(([, at = '', name = '']) => ({
    name,
    seconds: Number(at) - (starts.get(name) ?? Infinity),
  }));
}

export const hostScenarios = (): Scenario[] => [outOfMemory(), clockBack()];
