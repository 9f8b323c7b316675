import { Readable } from 'node:stream';
import { Context } from '@temporalio/activity';
import type {
  Activities,
  FilesInput,
  FilesResult,
  MachineRef,
  StepInput,
  UploadResult,
} from '../contracts/activities.js';
import type { ArtifactStatus } from '../contracts/ci-job.js';
import type { ArtifactSpec, CacheSpec } from '../contracts/job-spec.js';
import {
  packGzip,
  packRaw,
  packTarGz,
  packZip,
  TooManyFilesError,
  type PackedFacts,
  type Statement,
} from '../files/pack.js';
import { provenanceStatement } from '../files/provenance.js';
import { selectedEntries } from '../files/source.js';
import { DamagedArchiveError, unpackTarGz } from '../files/unpack.js';
import type { JobPlan } from '../job/plan.js';
import type { ProvenanceFacts } from '../job/provenance-facts.js';
import { cacheKey, jobKeys } from '../store/keys.js';
import type { Store } from '../store/store.js';
import { errorLine, infoLine, plainLine, warningLine } from '../trace/format.js';
import { beating } from './beat.js';
import type { EngineDeps } from './deps.js';
import { whileHeld, type Ownership } from './ownership.js';
import { openProject } from './project-files.js';
import { startStopwatch } from './stopwatch.js';

type FileActivities = Pick<Activities, 'restoreCache' | 'saveCache' | 'uploadArtifacts'>;

/** @returns activities that move files between a machine's containers and the store, through the engine's archive API */
export function createFileActivities(deps: EngineDeps): FileActivities {
  return {
    restoreCache: (input) => timed(deps, (work) => restore(deps, input, work))(input),
    saveCache: (input) => timed(deps, (work) => save(deps, input, work))(input),
    uploadArtifacts: async (input) => {
      const artifacts: ArtifactStatus[] = [];
      const result = await timed(deps, (work) => spoolAll(deps, input, work, artifacts))(input);
      return { ...result, artifacts } satisfies UploadResult;
    },
  };
}

interface Said {
  ok: boolean;
  text: string;
}

interface Work {
  plan: JobPlan;
  signal: AbortSignal;
  /** Two attempts may overlap, and each of them writes. */
  owner: Ownership;
}

function timed(deps: EngineDeps, run: (work: Work) => Promise<Said>): (input: MachineRef) => Promise<FilesResult> {
  return (input) =>
    beating(deps.lifecycle, async (signal, owner) => {
      const watch = startStopwatch();
      const { plan } = await deps.plans.load(input.workflowId, input.attempt);
      const said = await run({ plan, signal, owner });
      const { startedAtMs } = watch;
      return { ...said, startedAtMs, finishedAtMs: watch.nowMs(), attempts: Context.current().info.attempt };
    });
}

async function restore(deps: EngineDeps, input: StepInput, { plan, signal, owner }: Work): Promise<Said> {
  const lines: string[] = [];
  const unknown = plan.caches.find(({ policy }) => !CACHE_POLICIES.includes(policy));
  if (unknown !== undefined) return { ok: false, text: unknownPolicy(unknown) };
  for (const cache of plan.caches) {
    if (!['pull', 'pull-push'].includes(cache.policy)) {
      lines.push(plainLine(`Not downloading cache ${cache.key} due to policy`));
      continue;
    }
    for (const key of [cache.key, ...cache.fallbackKeys]) {
      lines.push(infoLine(`Checking cache for ${key}...`));
      const archive = await deps.store.stream(cacheKey(plan.project, key));
      if (archive === undefined) {
        lines.push(plainLine('No cache found'));
        continue;
      }
      const refused = (name: string, why: string) => lines.push(warningLine(`${name} is not extracted: ${why}`));
      const tar = whileHeld(unpackTarGz(archive, refused), owner);
      let broken: Error | undefined;
      tar.once('error', (error) => (broken = error));
      try {
        await deps.engine.extract(input.machine, 'build', plan.projectDirectory, tar, { signal });
        lines.push(infoLine('Successfully extracted cache'));
      } catch (error) {
        // A cache is there to save time: without it the job is slower, not failed.
        if (!(broken instanceof DamagedArchiveError)) throw error;
        lines.push(warningLine(`Failed to extract cache: ${broken.message}`));
      }
      break;
    }
  }
  return { ok: true, text: lines.join('') };
}

const CACHE_POLICIES = ['pull', 'push', 'pull-push'];

function unknownPolicy({ key, policy }: CacheSpec): string {
  return errorLine(`cache ${key}: unknown policy "${policy}"; it must be one of ${CACHE_POLICIES.join(', ')}`);
}

async function save(deps: EngineDeps, input: FilesInput, work: Work): Promise<Said> {
  const { plan } = work;
  const lines: string[] = [];
  for (const cache of plan.caches.filter((entry) => applies(entry.when, input.jobSucceeded))) {
    if (!['push', 'pull-push'].includes(cache.policy)) {
      lines.push(plainLine(`Not uploading cache ${cache.key} due to policy`));
      continue;
    }
    lines.push(infoLine(`Creating cache ${cache.key}...`), await saveOne(deps, input, cache, work));
  }
  return { ok: true, text: lines.join('') };
}

async function saveOne(
  deps: EngineDeps,
  input: FilesInput,
  cache: CacheSpec,
  { plan, signal, owner }: Work,
): Promise<string> {
  const files = await openProject(deps.engine, input, plan, signal);
  const { selection, warnings } = await files.select({
    ...cache,
    paths: files.expandPaths(cache.paths),
    exclude: [],
  });
  const facts: PackedFacts = { files: 0 };
  const entries = selectedEntries(files.tree, selection, { keepLinks: true });
  const archive = packTarGz(entries, facts, levelOf(plan.compression?.caches));
  await deps.store.write(cacheKey(plan.project, cache.key), whileHeld(archive, owner));
  return (
    warnings +
    (facts.files === 0
      ? warningLine('no matching files; an empty cache was saved')
      : infoLine(`Created cache (${String(facts.files)} files)`))
  );
}

/**
 * Packed by each attempt for itself, under a name of its own: the workflow knows the files of the attempt that it has heard, and no
 * other one ever writes over them or removes them. GitLab compares the SHA-256 of what is sent twice.
 */
async function spoolAll(deps: EngineDeps, input: FilesInput, work: Work, artifacts: ArtifactStatus[]): Promise<Said> {
  const { attempt } = Context.current().info;
  const lines: string[] = [];
  let ok = true;
  try {
    for (const artifact of work.plan.artifacts.filter((entry) => applies(entry.when, input.jobSucceeded))) {
      lines.push(infoLine('Uploading artifacts...'));
      const spooled = await spool(deps, input, artifact, work);
      lines.push(spooled.text);
      if (spooled.artifact !== undefined) artifacts.push(spooled.artifact);
      ok &&= spooled.ok;
    }
    if (attempt > 1) await removeSpools(deps.store, input, (of) => of < attempt);
    work.owner.assertHeld();
  } catch (error) {
    // Nobody will hear of what is there.
    await removeSpools(deps.store, input, (of) => of === attempt).catch(() => undefined);
    throw error;
  }
  return { ok, text: lines.join('') };
}

/** @param which by the attempt that has packed them */
async function removeSpools(
  store: Store,
  { workflowId, attempt }: FilesInput,
  which: (attempt: number) => boolean,
): Promise<void> {
  const all = jobKeys.artifacts(workflowId, attempt);
  for (const key of await store.list(all)) {
    const [of] = key.slice(all.length + 1).split('/');
    if (which(Number(of))) await store.remove(key);
  }
}

async function spool(
  deps: EngineDeps,
  input: FilesInput,
  given: ArtifactSpec,
  { plan, signal, owner }: Work,
): Promise<{ ok: boolean; text: string; artifact?: ArtifactStatus }> {
  const files = await openProject(deps.engine, input, plan, signal);
  const artifact = files.expand(given);
  const { name, key } = artifactFile(input, artifact);
  const { selection, warnings } = await files.select(artifact);
  const what = [...artifact.paths, ...(artifact.untracked ? ['untracked'] : [])].join(', ');
  const facts: PackedFacts = { files: 0 };
  let bytes: number;
  try {
    const packed = packerOf(artifact, plan)(selectedEntries(files.tree, selection), facts);
    ({ bytes } = await deps.store.write(key, whileHeld(packed, owner)));
  } catch (error) {
    if (!(error instanceof TooManyFilesError)) throw error;
    return { ok: false, text: warnings + errorLine(`${what}: ${error.message}`) };
  }
  if (facts.files === 0) {
    await deps.store.remove(key);
    return {
      ok: true,
      text: `${warnings}${warningLine(`${what}: no matching files. Ensure that the artifact path is relative to the working directory`)}`,
    };
  }
  const { type, format, expireIn } = artifact;
  return {
    ok: true,
    text: `${warnings}${plainLine(`${what}: found ${String(facts.files)} matching artifact files`)}`,
    artifact: {
      name,
      type,
      format,
      bytes,
      files: facts.files,
      key,
      ...(expireIn === undefined ? {} : { expireIn }),
    },
  };
}

function packerOf(
  artifact: ArtifactSpec,
  { provenance, compression }: JobPlan,
): (entries: Parameters<typeof packZip>[0], facts: PackedFacts) => Readable {
  const packing = levelOf(compression?.artifacts);
  switch (artifact.format) {
    case 'zip':
      return (entries, facts) =>
        packZip(entries, facts, {
          ...packing,
          ...(provenance === undefined ? {} : { statement: statementOf(artifact, provenance) }),
        });
    case 'gzip':
      return (entries, facts) => Readable.from(packGzip(entries, facts, packing));
    case 'raw':
      return (entries, facts) => Readable.from(packRaw(entries, facts));
  }
}

function levelOf(level: number | undefined): { level?: number } {
  return level === undefined ? {} : { level };
}

/** `<name>-metadata.json` in the archive (gitlab-protocol section 8.3). */
function statementOf(artifact: ArtifactSpec, provenance: ProvenanceFacts): Statement {
  const name = artifact.name?.split('/').at(-1);
  return {
    name: `${name === undefined || name === '' ? 'artifacts' : name}-metadata.json`,
    about: (subjects) => provenanceStatement(provenance, subjects, new Date()),
  };
}

/** `<name>.zip`, `<name>.gz` or `<name>`; the last segment of the name only (gitlab-protocol section 1.9). */
function artifactFile(input: FilesInput, artifact: ArtifactSpec): { name: string; key: string } {
  const base = artifact.name?.split('/').at(-1);
  const stem = base === undefined || base === '' ? 'default' : base;
  const name = artifact.format === 'zip' ? `${stem}.zip` : artifact.format === 'gzip' ? `${stem}.gz` : stem;
  const file = artifact.type === 'archive' ? name : `${artifact.type}-${name}`;
  const { attempt } = Context.current().info;
  return { name, key: jobKeys.artifact(input.workflowId, input.attempt, attempt, file) };
}

function applies(when: 'on_success' | 'on_failure' | 'always', jobSucceeded: boolean): boolean {
  return when === 'always' || when === (jobSucceeded ? 'on_success' : 'on_failure');
}
