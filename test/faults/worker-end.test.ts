import { faultSuite } from '../support/faults/suite.js';
import { endingScenarios } from './scenarios/worker.js';

faultSuite('worker-end', endingScenarios);
