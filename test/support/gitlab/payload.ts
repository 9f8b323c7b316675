import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { ZipFile } from 'yazl';
import { tarOf } from '../archives.js';
import type { TestCoordinator } from '../coordinator/coordinator.js';
import { variable } from '../coordinator/payload.js';
import type { Stack } from '../stack.js';
import { repositoryBelow } from './repository.js';
import type { Dependency, Play } from './scenario.js';

/** The payload's fields as a scenario means them. */
export async function payloadOf(
  play: Play,
  world: { coordinator: TestCoordinator; stack: Stack; key: string },
): Promise<Record<string, unknown>> {
  const { variables = [], script, ...rest } = filled(play.job) as Play['job'];
  const dependencies = await Promise.all(play.dependencies.map((each) => dependencyOf(each, world.coordinator)));
  const source =
    play.repository === undefined ? undefined : repositoryBelow(world.stack.shared, world.key, play.repository);
  return {
    ...rest,
    ...(script === undefined ? {} : { script: script.map((line) => expandMarks(line, world.key)) }),
    variables: [
      ...(source === undefined ? [] : [variable('GIT_STRATEGY', 'clone')]),
      ...variables.map(({ key, value, ...flags }) => variable(String(key), value as string, flags)),
    ],
    ...(Array.isArray(rest['steps']) ? { steps: rest['steps'].map((step) => marked(step, world.key)) } : {}),
    ...(source === undefined ? {} : { git_info: source }),
    ...(dependencies.length === 0 ? {} : { dependencies }),
  };
}

/** What a scenario cannot hold: `{{repeat x 1000}}`. */
export function filled(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replace(/\{\{repeat (.+?) (\d+)\}\}/g, (_, text: string, count: string) => text.repeat(Number(count)));
  }
  if (Array.isArray(value)) return value.map(filled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]));
}

/** `@mark NAME`: the script has come so far. `@await NAME`: it waits for the test. */
export function expandMarks(line: string, key: string): string {
  return line
    .replace(/@mark ([a-z0-9-]+)/g, (_, name: string) => `echo made >>/shared/${key}.${name}`)
    .replace(/@await ([a-z0-9-]+)/g, (_, name: string) => `until [ -e /shared/${key}.${name} ]; do sleep 0.1; done`);
}

function marked(step: unknown, key: string): unknown {
  if (typeof step !== 'object' || step === null || !('script' in step) || !Array.isArray(step.script)) return step;
  return {
    ...step,
    script: step.script.map((line: unknown) => (typeof line === 'string' ? expandMarks(line, key) : line)),
  };
}

async function dependencyOf(given: Dependency, coordinator: TestCoordinator): Promise<Record<string, unknown>> {
  const archive = await archiveOf(given);
  const { id, token } = coordinator.addDependency(archive, {
    ...(given.redirect === undefined ? {} : { redirect: given.redirect }),
    ...(given.status === undefined ? {} : { status: given.status }),
  });
  return {
    id,
    name: given.name,
    token: given.wrongToken ? 'glcbt-64_another' : token,
    artifacts_file: { filename: 'artifacts.zip', size: archive.length },
  };
}

async function archiveOf({ archive, files }: Dependency): Promise<Buffer> {
  const entries = Object.entries(files);
  if (archive === 'text') return Buffer.from(entries[0]?.[1] ?? '');
  if (archive === 'tar.gz') return gzipSync(await tarOf(entries.map(([name, content]) => ({ name, content }))));
  const zip = new ZipFile();
  for (const [name, content] of entries) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  return await buffer(zip.outputStream);
}
