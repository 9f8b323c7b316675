import { setTimeout as delay } from 'node:timers/promises';
import { parseConfig } from '../../src/config/load.js';
import { LABEL_JOB, LABEL_MACHINE, LABEL_ROLE } from '../../src/contracts/names.js';
import { createDockerClient } from '../../src/machines/docker/client.js';
import { createSampler } from '../../src/machines/docker/sampler.js';
import { LABEL_ENGINE, LABEL_INSTALLATION, LABEL_ORIGIN } from '../../src/machines/docker/names.js';
import { docker } from '../../test/support/docker.js';
import { type Stack } from '../../test/support/stack.js';
import { IMAGE } from '../bench.js';
import { abreast } from '../jobs.js';
import type { Measurement } from '../measurement.js';
import { cpuSeconds } from '../process-usage.js';
import { dockerCreated } from '../raw-docker.js';
import { rounded } from '../statistics.js';

const CONTAINERS = 100;
const WATCH_SECONDS = 30;
const INTERVAL_SECONDS = 5;
const API_ROUNDS = 6;

/** The worker's processor time with containers to sample, less what it takes without. */
export const sampling: Measurement = {
  name: 'sampling',
  about: `sampling ${String(CONTAINERS)} containers every ${String(INTERVAL_SECONDS)} s: the worker's share of one core`,
  async run(bench) {
    const stack = await bench.ownStack({
      engine: { capacity: CONTAINERS },
      metrics: { sampleInterval: `${String(INTERVAL_SECONDS)}s` },
      // Leftovers of no workflow are swept: not while they are being measured.
      top: { worker: { sweepInterval: '1h' } },
    });
    const { pid } = stack.worker();
    await delay(10_000);
    const without = await share(pid);
    await startContainers(stack);
    await delay(10_000);
    const withContainers = await share(pid);
    const sampled = await sampledMachines(stack);
    if (sampled !== CONTAINERS) throw new Error(`Only ${String(sampled)} of ${String(CONTAINERS)} were sampled`);
    const byApi = await shareByApi(stack);
    await stack.close();
    const percent = rounded((withContainers - without) * 100);
    return {
      figures: {
        percentOfOneCore: percent,
        idlePercentOfOneCore: rounded(without * 100),
        byApiPercentOfOneCore: rounded(byApi * 100),
        containers: CONTAINERS,
      },
      aims: [{ what: 'sampling 100 containers at 5 s', value: percent, atMost: 5, unit: '% of a core' }],
    };
  },
};

async function sampledMachines(stack: Stack): Promise<number> {
  const text = await (await fetch(`${stack.metricsUrl}/metrics`)).text();
  return text.match(/^holdfast_machine_cpu_seconds_total\{/gm)?.length ?? 0;
}

async function share(pid: number): Promise<number> {
  const before = cpuSeconds(pid);
  const startedAt = performance.now();
  await delay(WATCH_SECONDS * 1000);
  return (cpuSeconds(pid) - before) / ((performance.now() - startedAt) / 1000);
}

/** The reference (ADR 22): the same containers by the engine's API alone, in this process. */
async function shareByApi(stack: Stack): Promise<number> {
  const [settings] = parseConfig(stack.given, stack.configFile).engines;
  if (settings === undefined) throw new Error('A stack has an engine');
  const [id = '', origin = ''] = [LABEL_INSTALLATION, LABEL_ORIGIN].map((name) => ownerLabels(stack.engine)[name]);
  const sampler = createSampler({
    docker: createDockerClient(settings.docker),
    settings: { ...settings, installation: { id, origin } },
    files: undefined,
  });
  // Process ids are asked for once, code is compiled once.
  await sampler.sample();
  const before = process.cpuUsage();
  for (let round = 0; round < API_ROUNDS; round++) await sampler.sample();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / API_ROUNDS / INTERVAL_SECONDS;
}

/** Containers with the labels that the worker samples by. */
async function startContainers(stack: Stack): Promise<void> {
  const owner = ownerLabels(stack.engine);
  const ids = await abreast(CONTAINERS, 4, (index) =>
    dockerCreated('--network=none', ...labels(owner, index), IMAGE, 'sleep', '600'),
  );
  for (let at = 0; at < ids.length; at += 25) docker('start', ...ids.slice(at, at + 25));
}

/** As the worker marks what is its own: from its warm sandbox. */
function ownerLabels(engine: string): Record<string, string> {
  const [warm = ''] = docker('ps', '-q', '--filter', `label=${LABEL_ENGINE}=${engine}`);
  const all = JSON.parse(docker('inspect', '--format', '{{json .Config.Labels}}', warm).join('')) as Record<
    string,
    string
  >;
  return Object.fromEntries([LABEL_ENGINE, LABEL_INSTALLATION, LABEL_ORIGIN].map((name) => [name, all[name] ?? '']));
}

function labels(owner: Record<string, string>, index: number): string[] {
  const values = {
    ...owner,
    [LABEL_JOB]: `job/bench-${String(index)}`,
    [LABEL_MACHINE]: `bench-${String(index)}`,
    [LABEL_ROLE]: 'build',
  };
  return Object.entries(values).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
}
