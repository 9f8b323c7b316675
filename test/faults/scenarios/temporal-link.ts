import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../support/faults/play.js';
import type { Proxy } from '../../support/faults/proxy.js';
import type { Scenario, Scene, Standstill } from '../../support/faults/scenario.js';
import { until, type Process } from '../../support/processes.js';

function linkOf({ ground }: Pick<Scene, 'ground'>): Proxy {
  return present(ground.temporalLink, 'a Temporal behind a proxy');
}

/** Another worker that has ways of its own to Temporal and to the coordinator. */
function startBeside(scene: Scene): Promise<Process> {
  const { coordinator } = scene.gitlab();
  const top = {
    temporal: { address: scene.stack.temporalAddress },
    gitlab: [{ name: 'main', url: coordinator.url, token: coordinator.runnerToken }],
  };
  return scene.stack.startWorker({ beside: true, top });
}

/** Who was cut off can hear nothing of the other one, and must have fallen silent before that one's first word. */
function mustHaveFallenSilent(scene: Scene): void {
  const { host } = scene.gitlab();
  const { calls } = scene.remote();
  const first = calls.findIndex((call) => call.host !== host);
  const late = calls.slice(first).filter((call) => call.host === host);
  if (first === -1) throw new Error('The other worker has said nothing');
  if (late.length > 0)
    throw new Error(`After the other one it has said: ${late.map(({ endpoint }) => endpoint).join(', ')}`);
}

export const cutOffBesideAnother: Scenario = {
  name: 'worker of a GitLab job cut off from Temporal without a word, beside another one: that one goes on, and alone speaks to GitLab',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    const own = scene.stack.worker();
    const other = await startBeside(scene);
    const link = linkOf(scene);
    const { host } = scene.gitlab();
    link.forget();
    link.stall();
    scene.repaired();
    await until('the other worker to go on', () => scene.remote().calls.some((call) => call.host !== host), 30_000);
    await scene.more(50);
    scene.letEnd();
    await scene.gitlab().coordinator.untilOver(scene.remote().id);
    await link.restore();
    await delay(3_000);
    mustHaveFallenSilent(scene);
    // Its connections are dead for long after.
    await own.stop('SIGKILL');
    await scene.stack.startWorker();
    await other.stop('SIGTERM');
  },
};

const KEEPALIVE: Standstill = { seconds: 60, why: 'the SDK notices a dead connection after 45 s' };
/** After it the SDK has ended activities whose heartbeats were not taken. */
const GIVEN_UP_MS = 15_000;

/** Each takes the SDK's 45 s: not in the ordinary set. */
export const deadConnectionScenarios: Scenario[] = [
  {
    name: 'connections of the only worker to Temporal die without a word while the script runs, new ones are carried',
    job: { lines: 'lasting' },
    standstill: KEEPALIVE,
    async run(scene) {
      await scene.line(10);
      linkOf(scene).forget();
      await delay(GIVEN_UP_MS);
      scene.repaired();
    },
  },
  {
    name: 'connections to Temporal die without a word, and new ones carry nothing for 20 s',
    job: { lines: 'lasting' },
    gitlab: { updateInterval: 1 },
    standstill: KEEPALIVE,
    async run(scene) {
      await scene.line(10);
      const link = linkOf(scene);
      link.forget();
      link.stall();
      await delay(20_000);
      await link.restore();
      scene.repaired();
    },
  },
  {
    name: 'connections to Temporal die without a word just before the script ends',
    job: { lines: 30, afterSeconds: 1 },
    gitlab: { updateInterval: 1 },
    async run(scene) {
      await scene.line(25);
      linkOf(scene).forget();
      scene.repaired();
    },
  },
];
