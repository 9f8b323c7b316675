import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { wireScenarios } from './scenarios/coordinator-wire.js';

faultSuite('coordinator-wire', wireScenarios, {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
