import { startGround } from '../support/faults/ground.js';
import { mayRunAnEngine, startOwnEngine, type OwnEngine } from '../support/faults/own-engine.js';
import { faultSuite } from '../support/faults/suite.js';
import { TEST_IMAGE } from '../support/stack.js';
import { restartScenarios } from './scenarios/own-engine.js';

let engine: OwnEngine | undefined;

function running(): OwnEngine {
  if (engine === undefined) throw new Error('The engine was not started');
  return engine;
}

if (mayRunAnEngine) {
  faultSuite('engine-restart', restartScenarios(running), {
    async start() {
      const own = await startOwnEngine({ liveRestore: false });
      engine = own;
      const ground = await startGround({
        docker: own,
        stack: { engine: { helperImage: TEST_IMAGE, warm: 0 }, prometheus: false },
      });
      return {
        ...ground,
        async close() {
          await ground.close();
          await own.close();
        },
      };
    },
  });
}
