import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { deadConnectionScenarios } from '../faults/scenarios/temporal-link.js';

faultSuite('temporal-link-long', deadConnectionScenarios, {
  start: () => startGround({ temporalBehindProxy: true, gitlab: {}, stack: { prometheus: false } }),
});
