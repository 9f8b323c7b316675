import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { hostScenarios } from './scenarios/worker-host.js';

faultSuite('worker-host', hostScenarios(), {
  start: () => startGround({ gitlab: {}, stack: { top: { worker: { sweepInterval: '2s' } } } }),
});
