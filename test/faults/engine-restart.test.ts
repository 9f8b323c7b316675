import { ownEngineSuite } from '../support/faults/own-engine-suite.js';
import { restartScenarios } from './scenarios/own-engine.js';

ownEngineSuite('engine-restart', { liveRestore: false }, restartScenarios);
