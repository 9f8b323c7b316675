import type { Store } from '../store/store.js';
import { usageKeys } from '../store/keys.js';
import { RunSummary } from './run-summary.js';
import { summarizeUsage, type JobUsage } from './usage.js';

/** Names made of branches or dates never come back: of more than this many in a project those that ran longest ago go. */
const MOST_NAMES_PER_PROJECT = 500;
/** Objects read at once. */
const READS_AT_ONCE = 16;

/**
 * Keeps a run among the last ones of its name, and drops what is too old. An object a run and no common one, so that two workers
 * never write the same; a repeated call writes the same again.
 */
export async function keepRun(
  store: Store,
  run: RunSummary,
  mostRuns: number,
  mostNames = MOST_NAMES_PER_PROJECT,
): Promise<void> {
  const known = await store.list(usageKeys.name(run.project, run.name));
  if (known.length === 0) await makeRoom(store, run.project, mostNames - 1);
  const key = usageKeys.run(run);
  await store.write(key, JSON.stringify(run));
  // Keys begin with the time, so their order is that of the runs.
  const runs = [...new Set([...known, key])].sort();
  for (const old of runs.slice(0, Math.max(0, runs.length - mostRuns))) await store.remove(old);
}

async function makeRoom(store: Store, project: string, mostNames: number): Promise<void> {
  const names = namesByLastRun(await store.list(usageKeys.project(project)));
  for (const key of names.slice(0, Math.max(0, names.length - mostNames)).flat()) await store.remove(key);
}

/**
 * The keys of each job name, first those of the name that ran longest ago.
 * @param keys as the store lists them: in order, so that a name's last one tells when it last ran
 */
function namesByLastRun(keys: readonly string[]): string[][] {
  const byName = new Map<string, string[]>();
  for (const key of keys) {
    const name = key.slice(0, key.lastIndexOf('/'));
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [key]);
    else known.push(key);
  }
  return [...byName]
    .map(([name, ofName]) => ({ ofName, lastRun: ofName.at(-1)?.slice(name.length) ?? '' }))
    .sort((a, b) => (a.lastRun < b.lastRun ? -1 : 1))
    .map(({ ofName }) => ofName);
}

/**
 * Each job name's usage over its last runs: for the command line and the pages.
 * @param filter.project absent: all
 */
export async function readUsage(store: Store, filter: { project?: string; name?: string } = {}): Promise<JobUsage[]> {
  const { project, name } = filter;
  const prefix =
    project === undefined
      ? usageKeys.all()
      : name === undefined
        ? usageKeys.project(project)
        : usageKeys.name(project, name);
  const runs = await readRuns(store, await store.list(prefix));
  return summarizeUsage(name === undefined ? runs : runs.filter((run) => run.name === name));
}

/** The same of the job names that ran last, of any project; no other runs are read. */
export async function readLatestUsage(store: Store, mostNames: number): Promise<JobUsage[]> {
  if (mostNames === 0) return [];
  const latest = namesByLastRun(await store.list(usageKeys.all())).slice(-mostNames);
  return summarizeUsage(await readRuns(store, latest.flat()));
}

async function readRuns(store: Store, keys: readonly string[]): Promise<RunSummary[]> {
  const queue = [...keys];
  const runs: RunSummary[] = [];
  await Promise.all(
    Array.from({ length: READS_AT_ONCE }, async () => {
      for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
        const run = await readRun(store, key);
        if (run !== undefined) runs.push(run);
      }
    }),
  );
  return runs;
}

/** One of another version, or one that was just dropped, is none. */
async function readRun(store: Store, key: string): Promise<RunSummary | undefined> {
  const bytes = await store.read(key);
  if (bytes === undefined) return undefined;
  const parsed = RunSummary.safeParse(JSON.parse(bytes.toString('utf8')));
  return parsed.success ? parsed.data : undefined;
}
