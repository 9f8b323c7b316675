import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { numberedJob, type NumberedJob } from '../faults/numbered-job.js';
import type { TestCoordinator } from '../coordinator/coordinator.js';
import { variable } from '../coordinator/payload.js';
import { TEST_IMAGE } from '../docker.js';
import type { PlannedJob } from './plan.js';

/** A job that is canceled, or whose time runs out, would go on for longer than all faults together take. */
const ENDLESS = { lines: 400, pauseSeconds: 0.3 };
/** More than a megabyte: more than one part of a trace. */
const BURST_LINES = 45_000;
const TIME_LIMIT_SECONDS = 6;
/** Long enough to look, and to break something meanwhile. */
const HELD_SECONDS = 20;

export const FAILING_EXIT_CODE = 3;
/** The project of each job of the same origin, so they restore each other's. */
const CACHE_KEY = 'soak';

/** @param coordinator of a job of GitLab */
export async function jobOf(planned: PlannedJob, coordinator: TestCoordinator | undefined): Promise<NumberedJob> {
  const { lines, pauseSeconds, afterSeconds, from } = planned;
  const size = { lines, pauseSeconds };
  const gitlab = from === 'gitlab';
  switch (planned.kind) {
    case 'plain':
      return numberedJob(size);
    case 'after':
      return numberedJob({ ...size, afterSeconds });
    case 'failing':
      return numberedJob({ ...size, then: [`exit ${String(FAILING_EXIT_CODE)}`] });
    case 'canceled':
      return numberedJob(ENDLESS);
    case 'services':
      return numberedJob({
        ...size,
        before: ['wget -q -O - http://beside:8000/word'],
        more: {
          services: [
            {
              name: TEST_IMAGE,
              alias: 'beside',
              entrypoint: ['sh', '-c'],
              command: ['mkdir /w; echo of the service >/w/word; httpd -f -p 8000 -h /w'],
            },
          ],
        },
      });
    case 'artifacts':
      return numberedJob({
        ...size,
        before: ['head -c 300000 /dev/urandom >made'],
        more: { artifacts: gitlab ? [{ name: 'kept', paths: ['made'], when: 'always' }] : { paths: ['made'] } },
      });
    case 'big':
      return numberedJob({ ...size, burst: BURST_LINES });
    case 'cached':
      return numberedJob({
        ...size,
        // Whole, or not there: half a cache has no second file, or that of another one.
        before: [
          'test "$(cat c/first 2>&1 | tail -c 20)" = "$(cat c/last 2>&1 | tail -c 20)"',
          'mkdir -p c; echo {id} >c/first; head -c 400000 /dev/urandom >c/middle; echo {id} >c/last',
        ],
        more: { cache: [{ key: CACHE_KEY, paths: ['c'], policy: 'pull-push' }] },
      });
    case 'dependent':
      return numberedJob({
        ...size,
        before: ['test "$(wc -c <got)" = 300000'],
        more: { dependencies: [await dependencyOn(coordinator)] },
      });
    case 'held':
      return numberedJob({
        ...size,
        then: [`exit ${String(FAILING_EXIT_CODE)}`],
        more: { variables: variables({ HOLDFAST_HOLD_ON_FAILURE: `${String(HELD_SECONDS)}s` }, gitlab) },
      });
    case 'retried':
      return numberedJob({ ...size, more: runsAgain(afterSeconds > 2) });
    case 'timeout':
      return numberedJob({
        ...ENDLESS,
        more: gitlab ? { runner_info: { timeout: TIME_LIMIT_SECONDS } } : { timeout: TIME_LIMIT_SECONDS },
      });
  }
}

function runsAgain(interruptible: boolean): Record<string, unknown> {
  return interruptible ? { interruptible } : { retry: { max: 2, when: 'runner_system_failure' } };
}

function variables(given: Record<string, string>, gitlab: boolean): unknown {
  return gitlab ? Object.entries(given).map(([key, value]) => variable(key, value)) : given;
}

async function dependencyOn(coordinator: TestCoordinator | undefined): Promise<object> {
  if (coordinator === undefined) throw new Error('Only GitLab has artifacts of other jobs');
  const zip = new ZipFile();
  zip.addBuffer(Buffer.alloc(300_000, 'got'), 'got');
  zip.end();
  const archive = await buffer(zip.outputStream);
  return {
    ...coordinator.addDependency(archive),
    name: 'earlier',
    artifacts_file: { filename: 'artifacts.zip', size: archive.length },
  };
}
