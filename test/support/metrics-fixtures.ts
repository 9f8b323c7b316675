import type { CollectMetricsInput } from '../../src/contracts/activities.js';
import type { MetricsDocument } from '../../src/metrics/document.js';

/** What the workflow asks for: a job of a minute without a coordinator. */
export function collectMetricsInput(changes: Partial<CollectMetricsInput> = {}): CollectMetricsInput {
  return {
    workflowId: 'job/1',
    attempt: 1,
    machine: 'hf-1',
    engine: 'local',
    name: 'build',
    project: '',
    window: { startMs: 0, endMs: 60_000 },
    stages: [],
    limits: { cpus: null, memoryBytes: null },
    oomKills: 0,
    toCoordinator: false,
    ...changes,
  };
}

/** The smallest document that is one: of the same job, without any query. */
export function metricsDocument(changes: Partial<MetricsDocument> = {}): MetricsDocument {
  return {
    version: 1,
    job: 'job/1',
    name: 'build',
    project: '',
    machine: 'hf-1',
    engine: 'local',
    outcome: 'samples',
    window: { startMs: 0, endMs: 60_000 },
    stepMs: 5000,
    selector: { name: 'machine', value: 'hf-1' },
    stages: [],
    queries: {},
    series: [],
    skipped: [],
    aggregate: 'sum',
    collectedAtMs: 0,
    ...changes,
  };
}
