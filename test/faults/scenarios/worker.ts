import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario, Scene } from '../../support/faults/scenario.js';
import { withdrawn } from '../../support/faults/worker-log.js';
import { until } from '../../support/processes.js';
import type { Ground } from '../../support/faults/ground.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { isHalfMade, SLOWLY_PROVISIONED } from './half-made.js';

async function killAndReplace(scene: Scene): Promise<void> {
  await scene.stack.worker().stop('SIGKILL');
  await scene.stack.startWorker();
  scene.repaired();
}

const killedInScript: Scenario = {
  name: 'worker killed while the script runs',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    await killAndReplace(scene);
  },
};

const killedTwiceInScript: Scenario = {
  name: 'worker killed twice while the script runs, and away for five seconds',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    await scene.stack.worker().stop('SIGKILL');
    await delay(5_000);
    await scene.stack.startWorker();
    await delay(1_000);
    await killAndReplace(scene);
  },
};

const killedWhileProvisioning: Scenario = {
  name: 'worker killed while the machine is provisioned',
  job: SLOWLY_PROVISIONED,
  async run(scene) {
    await isHalfMade(scene);
    await killAndReplace(scene);
  },
};

const canceledHalfMade: Scenario = {
  name: 'worker killed while the machine is provisioned, and the job canceled before another one is there',
  job: SLOWLY_PROVISIONED,
  async run(scene) {
    await isHalfMade(scene);
    await scene.stack.worker().stop('SIGKILL');
    await scene.handle.cancel();
    await scene.stack.startWorker();
    scene.repaired();
  },
  expect: { state: 'canceled', failureReason: 'job_canceled', runs: 0, linesMayBeLost: true },
};

/** `ssh` of this job's git: slow, and it counts how often it was asked. */
function slowRepository({ stack }: Ground): void {
  const repository = join(stack.shared, 'repo');
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args]);
  mkdirSync(repository, { recursive: true });
  git('init', '-q', '-b', 'main');
  writeFileSync(join(repository, 'file'), 'content');
  git('add', '.');
  git('commit', '-qm', 'first');
  const script = join(stack.shared, 'slow-ssh');
  writeFileSync(script, '#!/bin/sh\nsleep 4\nexec git-upload-pack /shared/repo\n');
  chmodSync(script, 0o755);
}

const killedInGetSources: Scenario = {
  name: 'worker killed while the sources are fetched',
  prepare: slowRepository,
  job: {
    lines: 20,
    more: {
      source: { repo: 'ssh://git@example.com/repo', ref: 'main' },
      variables: { GIT_SSH: '/shared/slow-ssh', GIT_SSH_VARIANT: 'simple' },
    },
  },
  async run(scene) {
    await scene.step('get_sources');
    await delay(500);
    await killAndReplace(scene);
  },
};

export const killedInAfterScript: Scenario = {
  name: 'worker killed while after_script runs',
  job: { lines: 5, afterSeconds: 8 },
  async run(scene) {
    await scene.step('after_script');
    await delay(500);
    await killAndReplace(scene);
  },
};

const killedWhileUploading: Scenario = {
  name: 'worker killed while artifacts are packed',
  job: {
    lines: 5,
    more: {
      artifacts: { paths: ['big'] },
      before_script: ['head -c 100000000 /dev/urandom >big'],
    },
  },
  standstill: { seconds: 90, why: 'everything is packed anew before the next word of the trace' },
  async run(scene) {
    await scene.step('upload_artifacts');
    await killAndReplace(scene);
  },
};

const killedWhileFinishing: Scenario = {
  name: 'worker killed in the moments after the script has ended',
  job: { lines: 20, pauseSeconds: 0.05 },
  async run(scene) {
    await scene.line(20);
    await until('the end of after_script', async () => (await scene.trace()).includes('section_end:'), 30_000);
    await delay(150);
    await killAndReplace(scene);
  },
};

const killedWhileMetricsArePending: Scenario = {
  name: 'worker killed while metrics cannot be collected, and Prometheus comes back',
  job: { lines: 30 },
  async run(scene) {
    await scene.stack.stopPrometheus();
    await scene.handle.result();
    await killAndReplace(scene);
    await scene.stack.startPrometheus();
    await until('the end of the workflow', async () => (await scene.status()).metrics !== 'pending', 90_000);
  },
};

export const handedOver: Scenario = {
  name: 'worker told to stop (SIGTERM) while another one is there',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    const old = scene.stack.worker();
    const next = await scene.stack.startWorker({ beside: true });
    await old.stop('SIGTERM');
    scene.repaired();
    await scene.more(20);
    await scene.stack.startWorker();
    await next.stop('SIGTERM');
  },
};

const drained: Scenario = {
  name: 'worker drained (SIGQUIT) while its job runs; a job that comes now waits for the next worker',
  job: { lines: 'lasting' },
  async run(scene) {
    await scene.line(10);
    const old = scene.stack.worker();
    const before = withdrawn(scene.stack);
    old.kill('SIGQUIT');
    // Until then Temporal may answer a poll that is on the wire.
    await until('the end of its polls', () => withdrawn(scene.stack) > before);
    const late = await scene.stack.client.startJob({ image: TEST_IMAGE, script: ['echo late'] });
    scene.letEnd();
    await scene.handle.result();
    const exit = await old.exited;
    if (exit !== 0) throw new Error(`The drained worker ended with ${String(exit)}`);
    const { state } = await late.status();
    if (state !== 'pending') throw new Error(`A draining worker has taken a job: it is ${state}`);
    await scene.stack.startWorker();
    scene.repaired();
    const result = await late.result();
    if (result.state !== 'success') throw new Error(`The job that waited is ${result.state}`);
  },
};

/** Before the script. */
export const beginningScenarios: Scenario[] = [killedWhileProvisioning, canceledHalfMade, killedInGetSources];

export const workerScenarios: Scenario[] = [
  killedInScript,
  killedTwiceInScript,
  killedInAfterScript,
  killedWhileUploading,
  killedWhileFinishing,
];

/** One of them is about metrics. */
export const endingScenarios: Scenario[] = [killedWhileMetricsArePending, handedOver, drained];
