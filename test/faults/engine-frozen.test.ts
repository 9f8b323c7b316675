import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { frozenScenarios } from './scenarios/frozen.js';

faultSuite('engine-frozen', frozenScenarios(), {
  start: () => startGround({ stack: { prometheus: false } }),
});
