import { faultSuite } from '../support/faults/suite.js';
import { serverScenarios } from './scenarios/servers.js';

faultSuite('servers', serverScenarios);
