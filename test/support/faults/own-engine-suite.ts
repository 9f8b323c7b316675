import { TEST_IMAGE } from '../docker.js';
import { startGround } from './ground.js';
import { mayRunAnEngine, startOwnEngine, type OwnEngine } from './own-engine.js';
import type { Scenario } from './scenario.js';
import { faultSuite } from './suite.js';

/** Scenarios on a Docker engine of their own, which they may kill; none where this user may not start one. */
export function ownEngineSuite(
  group: string,
  options: { liveRestore: boolean; gitlab?: boolean },
  scenarios: (engine: () => OwnEngine) => readonly Scenario[],
): void {
  if (!mayRunAnEngine) return;
  let engine: OwnEngine | undefined;
  const running = (): OwnEngine => {
    if (engine === undefined) throw new Error('The engine was not started');
    return engine;
  };
  faultSuite(group, scenarios(running), {
    async start() {
      const own = await startOwnEngine(options);
      engine = own;
      const ground = await startGround({
        docker: own,
        ...(options.gitlab === true ? { gitlab: {} } : {}),
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
