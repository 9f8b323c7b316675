import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { engineScenarios } from './scenarios/engine.js';

faultSuite('engine', engineScenarios, {
  start: () =>
    startGround({
      stack: {
        engine: { memory: '64m', memorySwap: '64m', allowedPullPolicies: ['always', 'if-not-present', 'never'] },
        prometheus: false,
      },
    }),
  together: true,
});
