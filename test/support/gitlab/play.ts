import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gitlabWorkflowId } from '../../../src/contracts/names.js';
import type { CoordinatorJob } from '../coordinator/job.js';
import { until } from '../processes.js';
import { docker } from '../docker.js';
import { type Stack } from '../stack.js';
import { shortcomings } from './expectations.js';
import type { Lane } from './lanes.js';
import { filled, payloadOf } from './payload.js';
import type { Action, Moment, Play, Scenario } from './scenario.js';

/** For what must come at all, not how fast: other tests share the machine. */
const PATIENCE_MS = 90_000;

/** @returns everything in which the scenario did not come out as it says; empty: it did */
export async function playScenario(scenario: Scenario, lane: Lane, stack: Stack): Promise<string[]> {
  const problems: string[] = [];
  lane.coordinator.violations.length = 0;
  lane.coordinator.faults.clear();
  lane.coordinator.setLongPoll(20_000);
  for (const [index, play] of scenario.plays.entries()) {
    const found = await playJob(play, lane, stack).catch((error: unknown) => [String(error)]);
    problems.push(...found.map((text) => (scenario.plays.length > 1 ? `job ${String(index + 1)}: ${text}` : text)));
    if (found.length > 0) break;
  }
  problems.push(...lane.coordinator.violations.map((text) => `violation: ${text}`));
  return problems;
}

/** What actions have to do with. */
interface Setting {
  lane: Lane;
  stack: Stack;
  /** Names this job's marks. */
  key: string;
  /** Undefined: GitLab does not have it yet. */
  job?: CoordinatorJob;
  workflowId?: string;
}

type Scene = Required<Setting>;

async function playJob(play: Play, lane: Lane, stack: Stack): Promise<string[]> {
  const { coordinator } = lane;
  const key = `g${randomBytes(4).toString('hex')}`;
  const changes = await payloadOf(play, { coordinator, stack, key });
  for (const fault of play.faults) addFault(lane, fault);
  const done: Action[] = [];
  for (const action of play.before) {
    done.push(action);
    await perform(action, { lane, stack, key });
  }
  const job = coordinator.addJob(changes, {
    updateInterval: 1,
    ...(filled(play.options) as Play['options']),
  } as Parameters<typeof coordinator.addJob>[1]);
  const workflowId = gitlabWorkflowId(new URL(coordinator.url).host, job.id);
  const scene: Scene = { lane, stack, key, job, workflowId };
  try {
    for (const action of play.actions) {
      done.push(action);
      await perform(action, scene);
    }
    await until(
      `status ${play.expect.status} of the job (it is ${job.status})`,
      () => job.status === play.expect.status,
      PATIENCE_MS,
    );
    await workflowEnd(play, scene);
  } catch (error) {
    await repair(done, stack);
    return [String(error), `trace:\n${job.trace.toString('utf8').slice(-3000)}`, await statusOf(scene)];
  }
  // A dropped job's last request may still be on its way.
  await until('the faults', () => openFaults(coordinator).length === 0, 5_000).catch(() => undefined);
  const unused = openFaults(coordinator);
  const problems = [
    ...(await shortcomings(play.expect, scene)),
    ...unused.map((fault) => `the fault ${JSON.stringify(fault)} did not come to pass`),
    ...leftovers(scene).map((name) => `left behind: ${name}`),
  ];
  coordinator.faults.clear();
  if (problems.length > 0) problems.push(`trace:\n${job.trace.toString('utf8').slice(-3000)}`);
  return problems;
}

/** The condition of a fault is also how it is known again: `unused` tells faults as they were added. */
const mayRemain = new WeakSet<object>();
type FaultOf = Play['faults'][number];

function openFaults({ faults }: Lane['coordinator']) {
  return faults.unused().filter(({ when }) => when === undefined || !mayRemain.has(when));
}

function addFault({ coordinator }: Lane, fault: FaultOf): void {
  const { final, artifactType, mayRemain: free, endpoint, action, times, after } = fault;
  const when: NonNullable<Parameters<typeof coordinator.faults.add>[0]['when']> = (request) =>
    (final === undefined || request.final === final) &&
    (artifactType === undefined || request.artifactType === artifactType);
  if (free) mayRemain.add(when);
  coordinator.faults.add({
    endpoint,
    action: action as Parameters<typeof coordinator.faults.add>[0]['action'],
    when,
    ...(times === undefined ? {} : { times }),
    ...(after === undefined ? {} : { after }),
  });
}

async function perform(action: Action, scene: Setting): Promise<void> {
  const { lane, stack, key, job } = scene;
  const { coordinator } = lane;
  if ('wait' in action) await untilMoment(action.wait, scene);
  else if ('touch' in action) writeFileSync(join(stack.shared, `${key}.${action.touch}`), '');
  else if ('cancel' in action) coordinator.cancel(theJob(job).id);
  else if ('end' in action) coordinator.end(theJob(job).id, action.end);
  else if ('fault' in action) addFault(lane, action.fault);
  else if ('longPoll' in action) coordinator.setLongPoll(action.longPoll ? 20_000 : 0);
  else if ('outage' in action) await outage(action.outage, scene);
  else await performOnStack(action, stack);
}

type StackAction = Extract<Action, { worker: unknown } | { temporal: unknown } | { prometheus: unknown }>;

async function performOnStack(action: StackAction, stack: Stack): Promise<void> {
  if ('worker' in action) {
    if (action.worker === 'start') await stack.startWorker();
    else await stack.worker().stop(action.worker === 'kill' ? 'SIGKILL' : 'SIGTERM');
  } else if ('temporal' in action) stack.temporal().kill(action.temporal === 'freeze' ? 'SIGSTOP' : 'SIGCONT');
  else if (action.prometheus === 'stop') await stack.stopPrometheus();
  else await stack.startPrometheus();
}

const REPAIRS: [StackAction, StackAction][] = [
  [{ temporal: 'freeze' }, { temporal: 'thaw' }],
  [{ worker: 'kill' }, { worker: 'start' }],
  [{ worker: 'term' }, { worker: 'start' }],
  [{ prometheus: 'stop' }, { prometheus: 'start' }],
];

/** What a scenario that came to a stop in its middle has left broken, so that the next one finds all whole. */
async function repair(done: Action[], stack: Stack): Promise<void> {
  const last = (like: StackAction) => done.findLastIndex((action) => JSON.stringify(action) === JSON.stringify(like));
  for (const [breaks, mends] of REPAIRS) {
    if (last(breaks) > last(mends)) await performOnStack(mends, stack);
  }
}

/** The length of an outage is the fault itself, and waits for nothing. */
async function outage(length: number | Moment, scene: Setting): Promise<void> {
  const over = scene.lane.coordinator.faults.outage();
  try {
    if (typeof length === 'number') await delay(length * 1000);
    else await untilMoment(length, scene);
  } finally {
    over();
  }
}

async function untilMoment(moment: Moment, scene: Setting): Promise<void> {
  const { stack, key, job, lane } = scene;
  await until(
    JSON.stringify(moment),
    async () => {
      if ('file' in moment) return existsSync(join(stack.shared, `${key}.${moment.file}`));
      if ('spooled' in moment) {
        return (await stack.client.store.list(`spool/${lane.entry}`)).length > 0 === moment.spooled;
      }
      if ('held' in moment) return lane.coordinator.heldPolls > 0;
      const { status, trace, artifacts, reports, keepAlives } = theJob(job);
      if ('status' in moment) return status === moment.status;
      if ('trace' in moment) return trace.includes(moment.trace);
      if ('artifact' in moment) return artifacts.some(({ type }) => type === moment.artifact);
      if ('reports' in moment) return reports.length >= moment.reports;
      if ('keepAlives' in moment) return keepAlives >= moment.keepAlives;
      const told = await (await stack.client.job(scene.workflowId ?? '')).status().catch(() => undefined);
      if ('metrics' in moment) return told?.metrics === moment.metrics;
      if ('samples' in moment) return (await samplesOf(told?.machine ?? '', stack)) >= moment.samples;
      // A short one may be over before somebody looks.
      return told?.steps.some(({ name, state }) => name === moment.step && state !== 'pending') === true;
    },
    PATIENCE_MS,
  );
}

async function samplesOf(machine: string, { prometheusUrl }: Stack): Promise<number> {
  const query = `max(count_over_time(holdfast_machine_memory_bytes{machine="${machine}"}[10m]))`;
  const response = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return Number(data.result[0]?.value[1] ?? 0);
}

function theJob(job: CoordinatorJob | undefined): CoordinatorJob {
  if (job === undefined) throw new Error('There is no job yet: this action belongs to "actions", not to "before"');
  return job;
}

/** The machine is released after the final status, and the metrics may take a while. */
async function workflowEnd(play: Play, { stack, workflowId }: Scene): Promise<void> {
  if (play.expect.workflow !== 'closed') return;
  await until(
    `the end of workflow ${workflowId}`,
    async () => {
      const told = await stack.client.temporal.workflow
        .getHandle(workflowId)
        .describe()
        .catch(() => undefined);
      return told !== undefined && told.status.name !== 'RUNNING';
    },
    PATIENCE_MS,
  );
}

async function statusOf({ stack, workflowId }: Scene): Promise<string> {
  const told = await stack.client
    .job(workflowId)
    .then((handle) => handle.status())
    .catch((error: unknown) => String(error));
  const log = readFileSync(join(stack.directory, 'worker.log'), 'utf8').slice(-3000);
  return `${workflowId}: ${JSON.stringify(told)}\nworker: ${log}`;
}

function leftovers({ workflowId }: Scene): string[] {
  const filter = ['--filter', `label=holdfast.job=${workflowId}`];
  return [
    ...docker('ps', '-a', ...filter, '--format', '{{.Names}}'),
    ...docker('network', 'ls', ...filter, '--format', '{{.Name}}'),
    ...docker('volume', 'ls', ...filter, '--format', '{{.Name}}'),
  ];
}
