import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { canceledAwayScenarios } from './scenarios/canceled-away.js';

faultSuite('canceled-away', canceledAwayScenarios, {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
