import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';

const ROOT = 'test/replay/histories';

const recorded = readdirSync(ROOT).flatMap((version) =>
  readdirSync(join(ROOT, version)).map((file) => ({ version, file, path: join(ROOT, version, file) })),
);

async function replay(history: unknown, bundle = 'workflow-bundle.js'): Promise<void> {
  await Worker.runReplayHistory({ workflowBundle: { codePath: resolve('dist', bundle) } }, history, 'job/replayed');
}

function read(path: string): { events: Record<string, Record<string, unknown>>[] } {
  return JSON.parse(readFileSync(path, 'utf8')) as { events: Record<string, Record<string, unknown>>[] };
}

beforeAll(() => {
  // A replay that fails is logged as an error; here it is meant to.
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
});

describe('the workflow of today', () => {
  it('has histories to be held against', () => {
    expect(recorded.map(({ file }) => file)).toEqual(
      expect.arrayContaining([
        'success.json',
        'script-failure.json',
        'cancel.json',
        'timeout.json',
        'metrics-retry.json',
      ]),
    );
  });

  it.each(recorded)('goes the same way as $file of version $version', async ({ path }) => {
    await replay(read(path));
  });

  it.each(recorded)('goes the same way as $file of version $version when it is traced', async ({ path }) => {
    await replay(read(path), 'workflow-bundle-traced.js');
  });

  it('does not accept a history that it would not have made', async () => {
    const path = recorded.find(({ file }) => file === 'success.json')?.path ?? '';
    const history = read(path);
    const scheduled = history.events.find(
      (event) =>
        (event['activityTaskScheduledEventAttributes']?.['activityType'] as { name?: string } | undefined)?.name ===
        'finishJob',
    );
    expect(scheduled).toBeDefined();
    scheduled!['activityTaskScheduledEventAttributes']!['activityType'] = { name: 'finishJobOtherwise' };

    await expect(replay(history)).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});
