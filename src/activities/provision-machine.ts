import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type {
  Activities,
  FailureDetails,
  ProvisionInput,
  Provisioned,
  TracePosition,
} from '../contracts/activities.js';
import { shortJobId } from '../contracts/names.js';
import { ExpansionError } from '../job/expand.js';
import { planJob, type JobPlan } from '../job/plan.js';
import type { EngineSettings, MachineDescription, MachineRequest } from '../machines/engine.js';
import { machineName } from '../machines/machine-name.js';
import {
  infoLine,
  plainLine,
  sectionEnd,
  sectionStart,
  stageSection,
  stageTitle,
  stageTitleLine,
  warningLine,
} from '../trace/format.js';
import { maskText } from '../trace/mask-text.js';
import { beating } from './beat.js';
import type { EngineDeps } from './deps.js';
import { toActivityFailure } from './failure.js';
import type { Ownership } from './ownership.js';
import type { PlanVault } from './plan-vault.js';
import { createPreparingNotice, type PreparingNotice } from './preparing-notice.js';
import { startStopwatch } from './stopwatch.js';
import { withTracePart } from './trace-part.js';

export interface ProvisionDeps extends EngineDeps {
  settings: EngineSettings;
  client: Client;
  version: string;
  revision: string;
  /** Its id: whose machines these are. */
  installation: string;
  metricsSettings: { enabled: boolean; graceMs: number; giveUpAfterMs: number };
  machineAcquired(workflowId: string): void;
  /** Perhaps half of one is there. */
  machineMissed(): void;
}

/** @returns activity `provisionMachine`: plan, header of the trace, machine */
export function createProvisionMachine(deps: ProvisionDeps): Pick<Activities, 'provisionMachine'> {
  return {
    provisionMachine(input) {
      const preparing = createPreparingNotice(deps, input.workflowId);
      return beating(
        deps.lifecycle,
        (signal, owner) => provision(deps, input, { signal, owner, preparing }),
        () => preparing.progress(),
      );
    },
  };
}

async function provision(
  deps: ProvisionDeps,
  input: ProvisionInput,
  { signal, owner, preparing }: { signal: AbortSignal; owner: Ownership; preparing: PreparingNotice },
): Promise<Provisioned> {
  const { engine, settings, plans } = deps;
  await assertFirstOfItsId(deps, input);
  const machine = machineName(
    { installation: deps.installation, engine: engine.name },
    input.workflowId,
    input.attempt,
  );
  const planned = planFor(input, {
    workflowId: input.workflowId,
    jobId: shortJobId(input.workflowId),
    engine: engine.name,
    machine,
    defaultImage: settings.defaultImage,
    buildsDirectory: settings.buildsDirectory,
    version: deps.version,
    revision: deps.revision,
    ...(input.spec.services.length === 0 ? {} : { network: engine.networkOf(machine) }),
  });
  const plan = input.coordinator?.traceSections === false ? { ...planned, sections: false } : planned;
  const header = (await keptHeader(plans, input)) ?? headerOf(input, plan, deps.version);
  // The plan of the successor, perhaps on another engine, must not be replaced.
  owner.assertHeld();
  await plans.save(input.workflowId, input.attempt, {
    plan,
    header,
    ...(input.coordinator === undefined ? {} : { coordinator: input.coordinator }),
    ...(input.firstRunId === undefined ? {} : { firstRunId: input.firstRunId }),
  });
  const trace = await withTracePart(deps, input.workflowId, input.trace, plan, async (part) => {
    await part.write(header);
    return await part.close();
  });
  const watch = startStopwatch(input.queuedAtMs);
  const hide = (text: string) => maskText(text, plan);
  if (plan.problem !== undefined) throw jobRefused(hide(plan.problem), trace);
  preparing.begin(owner);
  try {
    const description = await engine.acquire(requestOf(input, plan, settings), { signal });
    deps.machineAcquired(input.workflowId);
    const readyAtMs = watch.nowMs();
    return {
      workflowId: input.workflowId,
      attempt: input.attempt,
      engine: engine.name,
      machine,
      // For people's eyes from here on.
      image: hide(description.image.name),
      warm: description.warm,
      trace,
      notes: notesOf(description, plan, readyAtMs),
      metrics: { ...deps.metricsSettings, label: engine.metricsLabel(machine) },
      scriptTimeoutMs: plan.scriptTimeoutMs,
      afterScriptTimeoutMs: plan.afterScriptTimeoutMs,
      holdOnFailureMs: plan.holdOnFailureMs,
      provisioningAtMs: watch.startedAtMs,
      readyAtMs,
      limits: { cpus: settings.cpus ?? null, memoryBytes: settings.memoryBytes ?? null },
    };
  } catch (error) {
    deps.machineMissed();
    if (signal.aborted) throw error;
    throw toActivityFailure(error, { trace } satisfies Partial<FailureDetails>, hide);
  } finally {
    preparing.end();
  }
}

/**
 * Machines and what the store keeps go by the workflow's id: with the id of another job, however that ended, this one would be given its
 * output, and what its script came to. Our own clients never use an id again; any other client of Temporal may.
 */
async function assertFirstOfItsId({ plans }: ProvisionDeps, input: ProvisionInput): Promise<void> {
  const before = await plans.find(input.workflowId, 1);
  if (before?.firstRunId === undefined || before.firstRunId === input.firstRunId) return;
  throw jobRefused(
    `a job with the id ${input.workflowId} was run before, and none is run twice: start it with another id`,
  );
}

function planFor({ spec }: ProvisionInput, facts: Parameters<typeof planJob>[1]): JobPlan {
  try {
    return planJob(spec, facts);
  } catch (error) {
    if (error instanceof ExpansionError) throw jobRefused(error.message);
    throw error;
  }
}

/** What the job asks for cannot be, on any engine. */
function jobRefused(problem: string, trace?: TracePosition): ApplicationFailure {
  const details: FailureDetails = {
    reason: 'runner_configuration_error',
    message: problem,
    ...(trace === undefined ? {} : { trace }),
  };
  return ApplicationFailure.create({
    type: 'JOB_MISCONFIGURED',
    message: 'The job asks for something that cannot be',
    nonRetryable: true,
    details: [details],
  });
}

/**
 * Of another attempt at the same machine. Its worker may have been of another release, its engine may have another default image; but
 * a reader may have got its bytes already, and whatever comes next has its place behind them.
 */
async function keptHeader(plans: PlanVault, { workflowId, attempt }: ProvisionInput): Promise<string | undefined> {
  if (Context.current().info.attempt === 1) return undefined;
  return (await plans.find(workflowId, attempt))?.header;
}

function headerOf(input: ProvisionInput, plan: JobPlan, version: string): string {
  return [
    input.prelude,
    ...(input.attempt === 1 ? [plainLine(`Running with holdfast ${version}`)] : []),
    sectionStart('prepare_executor', Math.floor(input.queuedAtMs / 1000)),
    stageTitleLine(stageTitle('prepare_executor')),
    plainLine(`Using Docker executor with image ${plan.image.name} ...`),
  ].join('');
}

/** What only came out while the machine was made; recorded by the workflow, so the same at every reading. */
function notesOf(description: MachineDescription, plan: JobPlan, readyAtMs: number): string {
  const { image } = description;
  const digest = image.digest === undefined ? '' : ` with digest ${image.digest}`;
  return [
    ...description.notes.map((note) => (note.startsWith('WARNING: ') ? warningLine(note.slice(9)) : plainLine(note))),
    plainLine(`Using docker image ${image.id} for ${image.name}${digest} ...`),
    sectionEnd('prepare_executor', Math.floor(readyAtMs / 1000)),
    infoLine(`Running on ${description.machine} of engine ${description.engine}...`),
    ...plan.warnings.map((warning) => warningLine(warning)),
    ...(plan.skipsSources === true
      ? [stageSection('get_sources', readyAtMs, readyAtMs, infoLine('Skipping Git repository setup'))]
      : []),
  ].join('');
}

function requestOf(input: ProvisionInput, plan: JobPlan, settings: EngineSettings): MachineRequest {
  return {
    machine: plan.machine,
    job: input.workflowId,
    nonce: input.nonce,
    image: plan.image,
    services: plan.services,
    helper: plan.needsHelper,
    steps: plan.steps,
    buildsDirectory: settings.buildsDirectory,
    projectDirectory: plan.projectDirectory,
    hostname: plan.machine,
    credentials: plan.credentials,
    ...(plan.dockerAuthConfig === undefined ? {} : { dockerAuthConfig: plan.dockerAuthConfig }),
    serviceWaitMs: settings.serviceWaitMs,
    secrets: plan.masks,
  };
}
