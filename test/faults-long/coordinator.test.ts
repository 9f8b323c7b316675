import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { finalStatusRefused } from '../faults/scenarios/coordinator-wire.js';

faultSuite('coordinator-long', [finalStatusRefused(120_000)], {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
