import { foundSeed } from '../support/soak/found-seed.js';

// A warm sandbox that a stopping worker removed went to a job.
foundSeed(2, 3, 'first');
