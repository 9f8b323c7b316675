import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { goneScenarios } from './scenarios/coordinator.js';

faultSuite('coordinator-gone', goneScenarios, {
  start: () => startGround({ gitlab: { giveUpAfter: '10s' }, stack: { prometheus: false } }),
});
