import type { Activities } from '../contracts/activities.js';
import { createMetricsActivities, type MetricsDeps } from './collect-metrics.js';
import { createDeliverArtifacts } from './deliver-artifacts.js';
import { createDownloadArtifacts, createFetchDependencies } from './dependencies.js';
import type { EngineDeps, SharedDeps } from './deps.js';
import { createFileActivities } from './files.js';
import { createFinishJob } from './finish-job.js';
import { createReportToCoordinator, type CoordinatorDeps } from './report-to-coordinator.js';
import { createStepActivities } from './steps.js';
import { createStreamTrace } from './stream-trace.js';

type ControlActivities = Pick<Activities, 'finishJob' | 'collectMetrics' | 'replayJobMetrics'>;
type CoordinatorActivities = Pick<Activities, 'reportToCoordinator' | 'deliverArtifacts' | 'fetchDependencies'>;
type EngineActivities = Pick<
  Activities,
  | 'runStep'
  | 'stopStep'
  | 'releaseMachine'
  | 'streamTrace'
  | 'restoreCache'
  | 'downloadArtifacts'
  | 'saveCache'
  | 'uploadArtifacts'
>;

/** What any worker can do: it talks to the store, Prometheus and the coordinator. */
export function createControlActivities(shared: SharedDeps, metrics: MetricsDeps): ControlActivities {
  return { ...createFinishJob(shared), ...createMetricsActivities(metrics) };
}

/** What a worker with `gitlab` entries can do. */
export function createCoordinatorActivities(deps: CoordinatorDeps): CoordinatorActivities {
  return { ...createReportToCoordinator(deps), ...createDeliverArtifacts(deps), ...createFetchDependencies(deps) };
}

/** What only a worker of the engine can do. */
export function createEngineActivities(deps: EngineDeps): EngineActivities {
  return {
    ...createStepActivities(deps),
    ...createStreamTrace(deps),
    ...createFileActivities(deps),
    ...createDownloadArtifacts(deps),
  };
}
