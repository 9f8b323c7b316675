import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { pausedScenarios } from './scenarios/paused.js';

faultSuite('worker-paused', pausedScenarios, {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
