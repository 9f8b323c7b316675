import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { beginningScenarios } from './scenarios/worker.js';

/** The slot that the dead worker's half of a machine holds is the only one that the job can have. */
faultSuite('worker-one-slot', beginningScenarios, {
  start: () => startGround({ stack: { prometheus: false, engine: { capacity: 1 } } }),
});
