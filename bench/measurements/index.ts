import type { Measurement } from '../measurement.js';
import { collection } from './collection.js';
import { emptyJob } from './empty-job.js';
import { firstByte } from './first-byte.js';
import { gitlab } from './gitlab.js';
import { history } from './history.js';
import { memory } from './memory.js';
import { metricsDelay } from './metrics-delay.js';
import { replay } from './replay.js';
import { sampling } from './sampling.js';
import { throughput } from './throughput.js';
import { traceLag } from './trace-lag.js';
import { traceSpeed } from './trace-speed.js';

/** In the order in which they are made: what must not be disturbed by others' memory and caches comes first. */
export const MEASUREMENTS: readonly Measurement[] = [
  memory,
  emptyJob,
  throughput,
  firstByte,
  traceLag,
  traceSpeed,
  history,
  gitlab,
  metricsDelay,
  collection,
  replay,
  sampling,
];
