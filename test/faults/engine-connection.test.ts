import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { engineConnectionScenarios } from './scenarios/engine.js';

faultSuite('engine-connection', engineConnectionScenarios, {
  start: () => startGround({ engineBehindProxy: true, gitlab: {}, stack: { prometheus: false } }),
});
