import { startGround } from '../support/faults/ground.js';
import { faultSuite } from '../support/faults/suite.js';
import { cutOffBesideAnother } from './scenarios/temporal-link.js';

faultSuite('temporal-link', [cutOffBesideAnother], {
  start: () => startGround({ temporalBehindProxy: true, gitlab: {}, stack: { prometheus: false } }),
});
