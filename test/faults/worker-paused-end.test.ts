import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { pausedEndScenarios } from './scenarios/paused.js';

faultSuite('worker-paused-end', pausedEndScenarios, {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
