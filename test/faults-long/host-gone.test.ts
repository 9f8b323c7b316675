import { ownEngineSuite } from '../support/faults/own-engine-suite.js';
import { moreRebootScenarios } from '../faults/scenarios/engine-stopped.js';

ownEngineSuite('host-gone-long', { liveRestore: false }, moreRebootScenarios);
