import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { coordinatorScenarios } from './scenarios/coordinator.js';

faultSuite('coordinator', coordinatorScenarios, {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
