import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { upgradeScenarios } from './scenarios/upgrade.js';

faultSuite('worker-upgrade', upgradeScenarios(), {
  start: () => startGround({ stack: { prometheus: false } }),
});
