import { foundSeed } from '../support/soak/found-seed.js';

// A job was canceled while the worker that prepared its machine was lost.
foundSeed(3, 3, 'first');
