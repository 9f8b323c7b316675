import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { moreCanceledAwayScenarios } from '../faults/scenarios/canceled-away.js';

faultSuite('canceled-away-long', moreCanceledAwayScenarios, {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false } }),
});
