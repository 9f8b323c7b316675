import type { Readable } from 'node:stream';
import { Context } from '@temporalio/activity';
import type { Activities, DeliverResult } from '../contracts/activities.js';
import type { Coordinator } from '../contracts/ci-job.js';
import type { DependencySpec } from '../contracts/job-spec.js';
import { unpackArchive } from '../files/unpack-archive.js';
import { DamagedArchiveError } from '../files/unpack.js';
import { createBackoff } from '../gitlab/backoff.js';
import { systemClock } from '../gitlab/clock.js';
import { jobKeys } from '../store/keys.js';
import { errorLine, infoLine, plainLine, warningLine } from '../trace/format.js';
import { beating } from './beat.js';
import type { EngineDeps } from './deps.js';
import { whileHeld, type Ownership } from './ownership.js';
import type { CoordinatorDeps } from './report-to-coordinator.js';
import { startStopwatch } from './stopwatch.js';

const RETRY = { firstMs: 500, maxMs: 10_000 };

/**
 * @returns activity `fetchDependencies`: archives of other jobs, from the coordinator to the store. What is there already is not
 *   fetched again, so a repeated delivery only goes on.
 */
export function createFetchDependencies(deps: CoordinatorDeps): Pick<Activities, 'fetchDependencies'> {
  return {
    fetchDependencies: (input) =>
      beating(deps.lifecycle, async (signal) => {
        const { plan } = await deps.plans.load(input.workflowId, input.attempt);
        const lines: string[] = [];
        for (const dependency of plan.dependencies) {
          lines.push(infoLine(`Downloading artifacts for ${titleOf(dependency)}...`));
          const { ok, line } = await fetchOne(deps, input, dependency, signal);
          lines.push(line);
          if (!ok) return { ok: false, text: lines.join('') };
        }
        return { ok: true, text: lines.join('') };
      }),
  };
}

/** As long as the job has time: the workflow cancels this when it has none left. */
async function fetchOne(
  deps: CoordinatorDeps,
  input: { workflowId: string; coordinator: Coordinator },
  dependency: DependencySpec,
  signal: AbortSignal,
): Promise<{ ok: boolean; line: string }> {
  const key = jobKeys.dependency(input.workflowId, dependency.id);
  const said = `Downloading artifacts from coordinator...`;
  if ((await deps.store.size(key)) !== undefined) return { ok: true, line: plainLine(`${said} ok`) };
  const { id: jobId, token } = dependency;
  const { job } = deps.coordinators.open({ ...input.coordinator, jobId, token });
  const backoff = createBackoff({ ...RETRY, random: () => systemClock.random() });
  // Object storage may be out of reach from here, or ill: only the first try asks for it.
  for (let direct = true; ; direct = false) {
    const outcome = await job.downloadArtifact({ direct }, signal);
    switch (outcome.kind) {
      case 'archive': {
        const problem = await keep(deps, key, outcome.content, signal);
        if (problem === undefined) return { ok: true, line: plainLine(`${said} ok`) };
        deps.logger.warn({ workflowId: input.workflowId, dependency: jobId, problem }, 'A download broke off');
        break;
      }
      case 'forbidden':
        return { ok: false, line: errorLine(`${said} ${String(outcome.status)} this job may not download them`) };
      case 'missing':
        return {
          ok: false,
          line: errorLine(`${said} 404 not found: they have expired or were deleted; run the other job again`),
        };
      case 'unavailable':
        deps.logger.warn(
          { workflowId: input.workflowId, dependency: jobId, reason: outcome.reason },
          'Artifacts cannot be downloaded now; it is repeated',
        );
    }
    await systemClock.sleep(backoff.next(outcome.kind === 'unavailable' ? outcome.retryAfterMs : undefined), signal);
  }
}

/** @returns what broke the download off; an error of the store is thrown */
async function keep(
  deps: CoordinatorDeps,
  key: string,
  content: Readable,
  signal: AbortSignal,
): Promise<string | undefined> {
  let broken: Error | undefined;
  content.once('error', (error) => (broken = error));
  try {
    await deps.store.write(key, content);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (broken === undefined) throw error;
    return broken.message;
  } finally {
    content.destroy();
  }
}

/** @returns activity `downloadArtifacts`: the fetched archives, from the store to the project. Unpacked again, they are the same. */
export function createDownloadArtifacts(deps: EngineDeps): Pick<Activities, 'downloadArtifacts'> {
  return {
    downloadArtifacts: (input) =>
      beating(deps.lifecycle, async (signal, owner) => {
        const watch = startStopwatch();
        const { plan } = await deps.plans.load(input.workflowId, input.attempt);
        const lines: string[] = [];
        let ok = true;
        for (const dependency of plan.dependencies) {
          const archive = await deps.store.stream(jobKeys.dependency(input.workflowId, dependency.id));
          const said =
            archive === undefined
              ? { ok: false, text: errorLine(`Artifacts of ${titleOf(dependency)} are no longer in the store`) }
              : await extractOne(deps, input, plan.projectDirectory, { dependency, archive }, { signal, owner });
          lines.push(said.text);
          ok &&= said.ok;
        }
        const attempts = Context.current().info.attempt;
        const { startedAtMs } = watch;
        return { ok, text: lines.join(''), startedAtMs, finishedAtMs: watch.nowMs(), attempts };
      }),
  };
}

async function extractOne(
  deps: EngineDeps,
  input: Parameters<Activities['downloadArtifacts']>[0],
  directory: string,
  { dependency, archive }: { dependency: DependencySpec; archive: Readable },
  { signal, owner }: { signal: AbortSignal; owner: Ownership },
): Promise<DeliverResult> {
  const warnings: string[] = [];
  const refused = (name: string, why: string) => warnings.push(warningLine(`${name} is not extracted: ${why}`));
  const tar = whileHeld(await unpackArchive(archive, refused), owner);
  let broken: Error | undefined;
  tar.once('error', (error) => (broken = error));
  try {
    await deps.engine.extract(input.machine, 'build', directory, tar, { signal });
    return { ok: true, text: warnings.join('') };
  } catch (error) {
    if (!(broken instanceof DamagedArchiveError)) throw error;
    const text = errorLine(`The artifacts of ${titleOf(dependency)} cannot be extracted: ${broken.message}`);
    return { ok: false, text: warnings.join('') + text };
  }
}

function titleOf({ name, id }: DependencySpec): string {
  return `${name} (${String(id)})`;
}
