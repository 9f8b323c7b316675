// Records the histories of test/replay: runs every scenario on a real Temporal server, with the workflow code as it is built.
// Run it (npx tsx scripts/record-histories.ts) when a change of the workflow is meant to be incompatible, which needs a new version
// folder; the old folders stay for as long as workflows of their time may be open.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool } from '../src/dev/tools.js';
import { startFakeWorld } from '../test/workflow/fake-world.js';
import { SCENARIOS } from '../test/workflow/scenarios.js';
import { VERSION } from '../src/version.js';

const directory = join('test/replay/histories', VERSION);
mkdirSync(directory, { recursive: true });
const world = await startFakeWorld();
try {
  for (const [name, run] of Object.entries(SCENARIOS)) {
    const job = await run(world);
    await job.handle.result().catch(() => undefined);
    const file = join(directory, `${name.replaceAll(' ', '-')}.json`);
    const shown = execFileSync(
      findTool('temporal', '.holdfast'),
      ['workflow', 'show', '--address', world.address, '--workflow-id', job.handle.workflowId, '--output', 'json'],
      { encoding: 'utf8' },
    );
    const history: unknown = JSON.parse(shown);
    writeFileSync(file, `${JSON.stringify(withoutHost(history), null, 1)}\n`);
    console.log(file);
  }
} finally {
  await world.close();
}

/** Who ran it is nobody's business. */
function withoutHost<T>(value: T): T {
  if (Array.isArray(value)) return value.map((entry: unknown) => withoutHost(entry)) as T;
  // Also in the name of the queue that a worker keeps for the workflows it has in memory.
  if (typeof value === 'string' && /^\d+@/.test(value)) return 'recorded' as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, key === 'identity' ? 'recorded' : withoutHost(inner as unknown)]),
  ) as T;
}
