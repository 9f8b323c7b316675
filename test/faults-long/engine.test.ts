import { engineGoneForGood } from '../faults/scenarios/engine.js';
import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';

faultSuite('engine-long', [engineGoneForGood], {
  start: () => startGround({ engineBehindProxy: true, stack: { prometheus: false, engines: { other: {} } } }),
});
