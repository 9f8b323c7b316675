// What sampling costs the worker: CPU seconds of this process (from /proc) while it samples many real containers.
// npx tsx scripts/bench-sampling.ts [containers=100] [rounds=12] [api]     "api": without the kernel's files
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createDockerClient } from '../src/machines/docker/client.js';
import { createSampler } from '../src/machines/docker/sampler.js';
import { parseConfig } from '../src/config/load.js';
import { ensureTestImage, TEST_IMAGE } from '../test/support/stack.js';

const [containers = 100, rounds = 12] = process.argv.slice(2, 4).map(Number);
const INTERVAL_SECONDS = 5;
const engine = `t-${randomBytes(4).toString('hex')}`;
ensureTestImage();
const ids: string[] = [];
try {
  for (let machine = 0; ids.length < containers; machine++) startMachine(machine);
  const [settings] = parseConfig({ engines: [{ name: engine }] }, 'bench').engines;
  if (settings === undefined) throw new Error('One engine was configured');
  for (const [name, files] of [
    ['files', {}],
    ['api', undefined],
  ] as const) {
    const sampler = createSampler({
      docker: createDockerClient(settings.docker),
      settings: { ...settings, installation: { id: engine, origin: engine } },
      files,
    });
    await sampler.sample(); // process ids are asked for once, code is compiled once
    const before = process.cpuUsage();
    let machines = 0;
    for (let round = 0; round < rounds; round++) machines = (await sampler.sample()).length;
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6 / rounds;
    const percent = ((seconds / INTERVAL_SECONDS) * 100).toFixed(2);
    console.log(
      `${name}: ${String(ids.length)} containers, ${String(machines)} machines, ${(seconds * 1000).toFixed(0)} ms CPU a sample, ${percent} % of one core at ${String(INTERVAL_SECONDS)} s`,
    );
  }
} finally {
  if (ids.length > 0) execFileSync('docker', ['rm', '-f', ...ids], { stdio: 'ignore' });
}

/** A sandbox with a network, and a build container that has joined it. */
function startMachine(at: number): void {
  const own = { 'holdfast.engine': engine, 'holdfast.installation': engine };
  const labels = (role: string) =>
    Object.entries({ ...own, 'holdfast.role': role }).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
  const machine = ['--label', `holdfast.machine=hf-${String(at)}`, '--label', `holdfast.job=job/${String(at)}`];
  const run = (...args: string[]) => {
    const id = execFileSync('docker', ['run', '-d', ...args, TEST_IMAGE, 'sleep', '3600'], { encoding: 'utf8' }).trim();
    ids.push(id);
    return id;
  };
  const sandbox = run(...labels('sandbox'), ...machine);
  run(...labels('build'), ...machine, '--label', `holdfast.sandbox=${sandbox}`, '--network', `container:${sandbox}`);
}
