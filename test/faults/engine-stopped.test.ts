import { ownEngineSuite } from '../support/faults/own-engine-suite.js';
import { stoppedScenarios } from './scenarios/engine-stopped.js';

ownEngineSuite('engine-stopped', { liveRestore: false }, stoppedScenarios);
