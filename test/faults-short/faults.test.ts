import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { workerKilled } from '../faults/scenarios/coordinator-worker.js';
import { refused } from '../faults/scenarios/coordinator.js';
import { temporalKilled } from '../faults/scenarios/servers.js';
import { handedOver, killedInAfterScript } from '../faults/scenarios/worker.js';

// Of every kind the one that happens most; `npm run test:faults` has all.
faultSuite('short', [workerKilled, refused, killedInAfterScript, handedOver, temporalKilled], {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
