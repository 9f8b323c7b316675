import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { tarOf } from '../../test/support/archives.js';
import type { ArtifactSpec } from '../contracts/job-spec.js';
import { selectedEntries } from '../files/source.js';
import type { JobPlan } from '../job/plan.js';
import { openProject } from './project-files.js';

const PROJECT = '/builds/acme/widget';
const REF = { workflowId: 'job/1', attempt: 1, engine: 'e', machine: 'm' };
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

type Files = Record<string, string | Buffer>;

/** The archive API of an engine with these files, by their whole paths. */
function engineWith(files: Files, asked: string[] = []) {
  return {
    archive: async (_machine: string, _role: string, path: string) => {
      asked.push(path);
      const inside = Object.entries(files).filter(([name]) => name === path || name.startsWith(`${path}/`));
      if (inside.length === 0) return undefined;
      const base = path.slice(path.lastIndexOf('/') + 1);
      const members = inside.map(([name, content]) => ({
        name: `${base}${name.slice(path.length)}`,
        content: content as string,
      }));
      return Readable.from([await tarOf(members)]);
    },
  };
}

const planWith = (pathVariables: Record<string, string> = {}) =>
  ({ projectDirectory: PROJECT, pathVariables }) as unknown as JobPlan;

async function project(files: Files, pathVariables?: Record<string, string>, asked?: string[]) {
  return await openProject(engineWith(files, asked), REF, planWith(pathVariables), new AbortController().signal);
}

const artifact = (changes: Partial<ArtifactSpec>): ArtifactSpec => ({
  paths: [],
  exclude: [],
  untracked: false,
  when: 'on_success',
  type: 'archive',
  format: 'zip',
  ...changes,
});

/** A repository with these files, of which some are tracked. */
function repository(tracked: string[], others: string[], options: string[] = []): Files {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-project-'));
  directories.push(directory);
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', directory, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  git('init', '--quiet', ...options);
  for (const name of [...tracked, ...others]) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), name);
  }
  git('add', ...tracked);
  const read = (name: string) => execFileSync('cat', [join(directory, name)]);
  return Object.fromEntries(
    [...tracked, ...others, '.git/index', '.git/config'].map((name) => [`${PROJECT}/${name}`, read(name)]),
  );
}

async function untracked(files: Files): Promise<{ paths: string[]; warnings: string }> {
  const opened = await project(files);
  const { selection, warnings } = await opened.select({ paths: [], exclude: [], untracked: true });
  const paths: string[] = [];
  for await (const entry of selectedEntries(opened.tree, selection)) paths.push(entry.path);
  return { paths: paths.sort(), warnings };
}

describe('names and paths of artifacts', () => {
  it('refer to variables of the job, and to those that its script has written, which win', async () => {
    const files = { [`${PROJECT}.tmp/gitlab_runner_env`]: 'RELEASE=v7\nBRANCH=from-script\n' };
    const { expand, expandPaths } = await project(files, { BRANCH: 'main', ONLY: 'job' });

    expect(
      expand(artifact({ name: '$BRANCH-$RELEASE', paths: ['${ONLY}/$NONE'], exclude: ['$RELEASE/**'] })),
    ).toMatchObject({
      name: 'from-script-v7',
      paths: ['job/'],
      exclude: ['v7/**'],
    });
    expect(expandPaths(['${NONE:-$ONLY}'])).toEqual(['job']);
  });

  it('that refer to nothing cost no look at the machine', async () => {
    const asked: string[] = [];
    await project({}, {}, asked);

    expect(asked).toEqual([]);
  });

  it('have the job’s own variables alone where the script has made its file larger than any environment', async () => {
    const files = { [`${PROJECT}.tmp/gitlab_runner_env`]: `A=1\n${'x'.repeat(2 * 1024 * 1024)}` };
    const { expand, select } = await project(files, { A: 'job' });

    expect(expand(artifact({ name: '$A' })).name).toBe('job');
    expect((await select({ paths: ['a'], exclude: [], untracked: false })).warnings).toContain(
      'GITLAB_ENV cannot be read',
    );
  });

  it('that lie outside of the project are refused by name, and the others are taken', async () => {
    const { select } = await project({});
    const { selection, warnings } = await select({
      paths: ['in', '../out', '/etc/passwd'],
      exclude: [],
      untracked: false,
    });

    expect(selection.roots).toEqual(['in']);
    expect(warnings).toMatch(/\.\.\/out: is outside of the project(.|\n)*\/etc\/passwd: is outside/);
  });
});

describe('files that git does not track', () => {
  it.each([[[]], [['--object-format=sha256']]])('are found without git on the machine (%j)', async (options) => {
    const files = repository(['a.c', 'src/b.c'], ['a.o', 'src/b.o', 'new/c'], options);

    expect(await untracked(files)).toEqual({ paths: ['a.o', 'new/c', 'src/b.o'], warnings: '' });
  });

  it.each<[string, Files, RegExp]>([
    ['no repository', { [`${PROJECT}/a`]: 'a' }, /the project is no Git repository/],
    [
      'an index that is none',
      { [`${PROJECT}/.git/index`]: 'not an index at all' },
      /what git tracks cannot be read: it is no index/,
    ],
    [
      'an index that is cut off',
      { [`${PROJECT}/.git/index`]: Buffer.from(repository(['a.c'], [])[`${PROJECT}/.git/index`]!).subarray(0, 40) },
      /what git tracks cannot be read/,
    ],
  ])('are unknown with %s, which is a warning', async (_what, files, warning) => {
    const told = await untracked(files);

    expect(told.warnings).toMatch(warning);
    expect(told.paths).toEqual([]);
  });

  it('are not looked for when the engine itself fails', async () => {
    const opened = await openProject(
      { archive: () => Promise.reject(new Error('the engine is away')) },
      REF,
      planWith(),
      new AbortController().signal,
    );

    await expect(opened.select({ paths: [], exclude: [], untracked: true })).rejects.toThrow('the engine is away');
  });
});
