import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { answerScenarios } from './scenarios/coordinator-answers.js';

faultSuite('coordinator-answers', answerScenarios, {
  start: () => startGround({ gitlab: {}, stack: { prometheus: false, engine: { capacity: 6 } } }),
  together: true,
});
