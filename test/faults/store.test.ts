import { afterAll } from 'vitest';
import { startGround } from '../support/faults/ground.js';
import { mayMount, mountFileSystem, type OwnFileSystem } from '../support/faults/own-file-system.js';
import { present } from '../support/faults/play.js';
import { faultSuite } from '../support/faults/suite.js';
import { storeScenarios } from './scenarios/store.js';

const MEGABYTES = 16;
let store: OwnFileSystem | undefined;

// A file system that fills up and turns read-only: only root may mount one.
if (mayMount()) {
  faultSuite(
    'store',
    storeScenarios(() => present(store, 'a store')),
    {
      start: async () => {
        store = mountFileSystem(MEGABYTES);
        return await startGround({ stack: { top: { store: { directory: store.directory } }, prometheus: false } });
      },
    },
  );
}

afterAll(() => store?.close());
