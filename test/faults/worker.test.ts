import { faultSuite } from '../support/faults/suite.js';
import { workerScenarios } from './scenarios/worker.js';

faultSuite('worker', workerScenarios);
