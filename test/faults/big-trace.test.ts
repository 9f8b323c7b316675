import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { bigTrace } from './scenarios/big-trace.js';

faultSuite('big-trace', [bigTrace], {
  start: () => startGround({ gitlab: { outputLimit: '100MiB' }, stack: { prometheus: false } }),
});
