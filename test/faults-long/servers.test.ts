import { faultSuite } from '../support/faults/suite.js';
import { startGround } from '../support/faults/ground.js';
import { temporalAwayForMinutes } from '../faults/scenarios/servers.js';

faultSuite('servers-long', [temporalAwayForMinutes], { start: () => startGround({ stack: { prometheus: false } }) });
