import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { readTrace } from '../faults/examine.js';
import type { Ground } from '../faults/ground.js';
import type { SoakJob } from './soak-job.js';

/**
 * What it takes to read a failure: the course, the logs of worker and servers, each job's life, history and trace.
 * @returns the directory
 */
export async function keep(
  { stack }: Ground,
  seed: number,
  jobs: readonly SoakJob[],
  course: readonly string[],
): Promise<string> {
  const directory = join('test-output', 'soak', String(seed));
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const name of ['worker', 'temporal', 'prometheus'])
    cpSync(join(stack.directory, `${name}.log`), join(directory, `${name}.log`));
  writeFileSync(join(directory, 'course.log'), `${course.join('\n')}\n`);
  const { workflow } = stack.client.temporal;
  for (const { subject, handle } of jobs) {
    const file = join(directory, subject.workflowId.replaceAll('/', '_'));
    writeFileSync(`${file}.trace`, await readTrace(stack, subject.workflowId));
    if (subject.remote !== undefined) writeFileSync(`${file}.coordinator.trace`, subject.remote.trace);
    const history = await workflow.getHandle(subject.workflowId).fetchHistory().then(historyToJSON).catch(String);
    writeFileSync(`${file}.history.json`, history);
    const life: unknown = await handle?.flight().catch(String);
    writeFileSync(`${file}.json`, `${JSON.stringify(life ?? 'no workflow', null, 2)}\n`);
  }
  return directory;
}
