import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { coordinatorWorkerScenarios } from './scenarios/coordinator-worker.js';

faultSuite('coordinator-worker', coordinatorWorkerScenarios, {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
