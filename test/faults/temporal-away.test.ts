import { faultSuite } from '../support/faults/suite.js';
import { startGround } from '../support/faults/ground.js';
import { temporalAwayForMinutes } from './scenarios/servers.js';

faultSuite('temporal-away', [temporalAwayForMinutes], { start: () => startGround({ stack: { prometheus: false } }) });
