import type { MachineRef } from '../contracts/activities.js';
import type { ArtifactSpec } from '../contracts/job-spec.js';
import { DamagedIndexError, isUntracked, parseGitIndex, type GitIndex } from '../files/git-index.js';
import { selectFiles, type Selection } from '../files/select.js';
import { FileTooLargeError, readFile, type OpenTree } from '../files/source.js';
import { expandPosix } from '../job/expand.js';
import type { JobPlan } from '../job/plan.js';
import { parseEnvironmentFile } from '../job/environment-file.js';
import type { Engine } from '../machines/engine.js';
import { warningLine } from '../trace/format.js';

/** The project's directory on a machine, as the steps have left it. */
export interface ProjectFiles {
  tree: OpenTree;
  /** Variables in name and paths, as the job has them now: `$GITLAB_ENV` too. */
  expand(artifact: ArtifactSpec): ArtifactSpec;
  expandPaths(paths: readonly string[]): string[];
  /** @param what expanded already @returns what its paths mean, and lines for the trace about those that mean nothing */
  select(what: {
    paths: readonly string[];
    exclude: readonly string[];
    untracked: boolean;
  }): Promise<{ selection: Selection; warnings: string }>;
}

/** `$GITLAB_ENV` holds short values, as environments do. */
const MAX_ENVIRONMENT_BYTES = 1024 * 1024;
/** Of half a million files. */
const MAX_INDEX_BYTES = 128 * 1024 * 1024;
const MAX_CONFIG_BYTES = 1024 * 1024;

export async function openProject(
  engine: Pick<Engine, 'archive'>,
  { machine }: MachineRef,
  plan: JobPlan,
  signal: AbortSignal,
): Promise<ProjectFiles> {
  const below =
    (directory: string): OpenTree =>
    (relative) =>
      engine.archive(machine, 'build', relative === '' ? directory : `${directory}/${relative}`, { signal });
  const { projectDirectory } = plan;
  const tree = below(projectDirectory);
  /** For the trace. */
  const troubles: string[] = [];
  const own = Object.keys(plan.pathVariables).length === 0 ? new Map<string, string>() : await ownVariables();
  const posix = (text: string) => expandPosix(text, (name) => own.get(name) ?? plan.pathVariables[name]);

  async function ownVariables(): Promise<Map<string, string>> {
    try {
      const file = await readFile(below(`${projectDirectory}.tmp`), 'gitlab_runner_env', MAX_ENVIRONMENT_BYTES);
      return parseEnvironmentFile(file?.toString() ?? '');
    } catch (error) {
      if (!(error instanceof FileTooLargeError)) throw error;
      troubles.push(`GITLAB_ENV cannot be read: ${error.message}`);
      return new Map();
    }
  }

  async function trackedByGit(): Promise<GitIndex | string> {
    try {
      const index = await readFile(tree, '.git/index', MAX_INDEX_BYTES);
      if (index === undefined) return 'the project is no Git repository';
      const config = (await readFile(tree, '.git/config', MAX_CONFIG_BYTES))?.toString() ?? '';
      return parseGitIndex(index, /objectformat\s*=\s*sha256/i.test(config) ? 32 : 20);
    } catch (error) {
      if (!(error instanceof FileTooLargeError || error instanceof DamagedIndexError)) throw error;
      return `what git tracks cannot be read: ${error.message}`;
    }
  }

  return {
    tree,
    expand: (artifact) => ({
      ...artifact,
      ...(artifact.name === undefined ? {} : { name: posix(artifact.name) }),
      paths: artifact.paths.map(posix),
      exclude: artifact.exclude.map(posix),
    }),
    expandPaths: (paths) => paths.map(posix),
    async select({ paths, exclude, untracked }) {
      const index = untracked ? await trackedByGit() : undefined;
      const selection = selectFiles({
        paths,
        exclude,
        projectDirectory,
        ...(index === undefined || typeof index === 'string'
          ? {}
          : { untracked: (path: string) => isUntracked(index, path) }),
      });
      const refused = selection.refused.map((path) =>
        warningLine(`${path}: is outside of the project and is not packed`),
      );
      const unknown = typeof index === 'string' ? [warningLine(`untracked: ${index}`)] : [];
      return { selection, warnings: [...troubles.map(warningLine), ...refused, ...unknown].join('') };
    },
  };
}
