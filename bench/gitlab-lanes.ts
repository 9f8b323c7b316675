import { randomBytes } from 'node:crypto';
import { startCoordinator, type TestCoordinator } from '../test/support/coordinator/coordinator.js';
import type { Process } from '../test/support/processes.js';
import { removeAll } from '../test/support/docker.js';
import { type Stack } from '../test/support/stack.js';
import { startStandIn } from '../test/support/http-stand-in.js';
import { IMAGE, type Bench } from './bench.js';
import { untilQuiet } from './jobs.js';

/** A GitLab and a worker that serves it alone: lanes differ in their metrics, and are measured in turn. */
export interface GitlabLane {
  readonly coordinator: TestCoordinator;
  /** Runs a job. @returns seconds from GitLab's handing it over to its having the final status */
  run(changes?: Record<string, unknown>): Promise<number>;
  quiet(): Promise<void>;
  /** How many jobs' metrics GitLab has got. */
  sentMetrics(): number;
  close(): Promise<void>;
}

/** Prometheus as it is, none, or one that takes questions and never answers. */
export type MetricsKind = 'up' | 'off' | 'hanging';

/** As GitLab's Workhorse holds a request. */
const LONG_POLL_MS = 20_000;

export async function startGitlabLane(bench: Bench, stack: Stack, kind: MetricsKind): Promise<GitlabLane> {
  const coordinator = await startCoordinator({ longPollMs: LONG_POLL_MS });
  const engine = `t-${randomBytes(4).toString('hex')}`;
  const hanging = kind === 'hanging' ? await startStandIn(() => 'hang') : undefined;
  const worker: Process = await stack.startWorker({
    beside: true,
    scraped: true,
    top: {
      temporal: { address: stack.temporalAddress, taskQueue: `bench-${kind}` },
      engines: [{ name: engine, defaultImage: IMAGE, volumes: [`${stack.shared}:/shared`] }],
      gitlab: [{ name: 'bench', url: coordinator.url, token: coordinator.runnerToken }],
      metrics:
        kind === 'off'
          ? { enabled: false }
          : { ...stack.given.metrics, ...(hanging === undefined ? {} : { prometheusUrl: hanging.url }) },
    },
  });
  let closed = false;
  let sentMetrics = 0;
  const lane: GitlabLane = {
    coordinator,
    async run(changes = {}) {
      const { id } = coordinator.addJob(changes);
      const job = await coordinator.untilOver(id);
      if (job.status !== 'success')
        throw new Error(`Job ${String(id)} is ${job.status}:\n${job.trace.toString('utf8')}`);
      if (coordinator.violations.length > 0) throw new Error(coordinator.violations.join('\n'));
      if (job.artifacts.some(({ type }) => type === 'metrics_referee')) sentMetrics += 1;
      return ((job.overAtMs ?? Number.NaN) - job.runningAtMs) / 1000;
    },
    quiet: () => untilQuiet(engine),
    sentMetrics: () => sentMetrics,
    async close() {
      if (closed) return;
      closed = true;
      await worker.stop();
      removeAll(engine);
      await coordinator.close();
      await hanging?.close();
    },
  };
  bench.onClose(() => lane.close());
  return lane;
}
