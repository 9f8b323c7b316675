import { ownEngineSuite } from '../support/faults/own-engine-suite.js';
import { rebootScenarios } from './scenarios/engine-stopped.js';

ownEngineSuite('host-gone', { liveRestore: false, gitlab: true }, rebootScenarios);
