import { startStack } from '../support/stack.js';
import { faultSuite } from '../support/faults/suite.js';
import { engineScenarios } from './scenarios/engine.js';

faultSuite('engine', engineScenarios, () =>
  startStack({ engine: { memory: '64m', memorySwap: '64m' }, prometheus: false }),
);
