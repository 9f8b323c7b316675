export { ciJob } from './ci-job.js';
export { replayMetrics } from './replay-metrics.js';
