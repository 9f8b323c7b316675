import { ownEngineSuite } from '../support/faults/own-engine-suite.js';
import { liveRestoreScenarios } from './scenarios/own-engine.js';

ownEngineSuite('engine-live-restore', { liveRestore: true }, liveRestoreScenarios);
