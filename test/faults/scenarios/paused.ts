import { setTimeout as delay } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import { overtake } from '../../support/faults/overtaken.js';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import type { Process } from '../../support/processes.js';
import { isHalfMade, SLOWLY_PROVISIONED } from './half-made.js';

const whileProvisioning: Scenario = {
  name: 'worker paused for 30 s (SIGSTOP) while the machine is provisioned, overtaken, and continued while the script runs',
  job: { ...SLOWLY_PROVISIONED, lines: 'lasting' },
  async run(scene) {
    await isHalfMade(scene);
    await overtake(scene, {
      wentOn: async () => (await scene.trace()).includes('line 1 of'),
      awake: () => scene.more(50),
    });
  },
};

/** Another worker that reaches the coordinator directly, not as the first one through the link: so it is known who says what. */
function startBeside(scene: Scene): Promise<Process> {
  const { coordinator } = scene.gitlab();
  const entry = { name: 'main', url: coordinator.url, token: coordinator.runnerToken };
  return scene.stack.startWorker({ beside: true, top: { gitlab: [entry] } });
}

/** The first worker has said nothing of the job since it was to be silent. */
function mustBeSilent(scene: Scene, since: number): void {
  const { host } = scene.gitlab();
  const said = scene
    .remote()
    .calls.slice(since)
    .filter((call) => call.host === host);
  if (said.length > 0)
    throw new Error(`The overtaken worker has said: ${said.map(({ endpoint }) => endpoint).join(', ')}`);
}

/**
 * Who takes over begins where its predecessor last said that it was, a moment before the true end; the coordinator refuses that
 * (416) and tells the end. So the first chunk of each may be misplaced: any other is that of a second writer.
 */
function chunksOfTwoWriters(scene: Scene): number {
  const chunks = scene.remote().calls.filter(({ endpoint }) => endpoint === 'trace');
  return chunks.filter(({ misplaced, host }, index) => misplaced && chunks[index - 1]?.host === host).length;
}

/** GitLab does not fence two holders of a token: the one that was overtaken has to keep silent by itself. */
const oneWriter: Scenario = {
  name: 'worker of a GitLab job paused for 30 s (SIGSTOP), overtaken, continued: one writer of the trace, one final status',
  job: { lines: 'lasting' },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(10);
    // No byte beyond these can be the paused one's.
    const known = (await scene.trace()).length;
    await overtake(scene, {
      start: () => startBeside(scene),
      wentOn: () => scene.remote().trace.length > known,
      async awake() {
        const { length } = scene.remote().calls;
        await scene.more(50);
        mustBeSilent(scene, length);
      },
    });
    const stray = chunksOfTwoWriters(scene);
    if (stray > 0) throw new Error(`${String(stray)} chunks of the log were those of a second writer`);
  },
};

/** Paused in the moment in which the final status is due: its successor sends it. */
const atTheEnd: Scenario = {
  name: 'worker of a GitLab job paused as the script ends, overtaken, continued after the final status',
  job: { lines: 20 },
  gitlab: { updateInterval: 1 },
  async run(scene) {
    await scene.line(20);
    await overtake(scene, {
      start: () => startBeside(scene),
      wentOn: () => scene.remote().final !== undefined,
      async awake() {
        const { length } = scene.remote().calls;
        await delay(3_000);
        mustBeSilent(scene, length);
      },
    });
  },
};

/**
 * A process that reads files of a container holds the engine's lock on it, also while it is paused: its successor goes on when it
 * wakes, with half an archive in its hands.
 */
const whilePacking: Scenario = {
  name: 'worker of a GitLab job paused for 30 s (SIGSTOP) while artifacts are packed, and continued beside another one',
  job: {
    lines: 10,
    before: ['head -c 60000000 /dev/urandom >made'],
    more: { artifacts: [{ name: 'kept', paths: ['made'], when: 'always' }] },
  },
  gitlab: { updateInterval: 1 },
  standstill: { seconds: 90, why: 'the paused worker holds the lock on the container, and all is packed anew' },
  async run(scene) {
    await scene.step('upload_artifacts');
    await overtake(scene, {
      start: () => startBeside(scene),
      async awake() {
        await scene.gitlab().coordinator.untilOver(scene.remote().id, 90_000);
        // The end of whatever the paused one still does.
        await delay(3_000);
      },
    });
    await keptIsWhatWasSent(scene);
  },
};

/** An archive is made anew at each packing, with other times in it. */
async function keptIsWhatWasSent(scene: Scene): Promise<void> {
  const { artifacts } = await scene.status();
  const [sent] = scene.remote().artifacts;
  const kept = await scene.stack.client.store.read(artifacts[0]?.key ?? '');
  const sha256 = createHash('sha256')
    .update(kept ?? '')
    .digest('hex');
  if (sent?.sha256 !== sha256) throw new Error('The store keeps another archive than the coordinator has');
}

/** What it has written until then is seen a moment later. */
const SEEN_MS = 300;

/** The standstill is counted from the pause itself: nobody has to be started. */
const besideAnother: Scenario = {
  name: 'worker paused (SIGSTOP) while another one is there, and continued when that one has gone on',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    const paused = scene.stack.worker();
    const other = await scene.stack.startWorker({ beside: true });
    paused.kill('SIGSTOP');
    await delay(SEEN_MS);
    scene.repaired();
    await scene.more(50);
    paused.kill('SIGCONT');
    await scene.more(50);
    await other.stop('SIGTERM');
  },
};

const onlyOne: Scenario = {
  name: 'the only worker paused for 30 s (SIGSTOP) and continued',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    const worker = scene.stack.worker();
    worker.kill('SIGSTOP');
    await delay(30_000);
    worker.kill('SIGCONT');
    scene.repaired();
    await scene.more(50);
  },
};

/** Each takes half a minute to a minute, so they are two groups. */
export const pausedScenarios: Scenario[] = [oneWriter, whileProvisioning, besideAnother];
export const pausedEndScenarios: Scenario[] = [atTheEnd, whilePacking, onlyOne];
