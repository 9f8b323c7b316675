import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { workerScenarios } from './scenarios/worker.js';

faultSuite('worker', workerScenarios, {
  start: () => startGround({ stack: { prometheus: false } }),
});
