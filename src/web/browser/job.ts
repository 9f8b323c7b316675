import { showGraphs } from './graphs/job-graphs.js';
import { refreshParts } from './parts.js';
import { startTrace } from './trace/start-trace.js';

/** Between two looks at a job that can still change. */
const LOOK_MS = 2_000;

const job = document.querySelector<HTMLElement>('#job');
const id = job?.dataset['id'];
if (id !== undefined) {
  void startTrace(id);
  void showGraphs();
  void followJob();
}

async function followJob(): Promise<void> {
  while (!isSettled()) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (document.visibilityState !== 'visible') continue;
    // Temporal or the worker away: the page stays as it is until they are back.
    const changed = await refreshParts().catch(() => []);
    if (changed.some((part) => part.id === 'part-graphs')) await showGraphs();
  }
}

function isSettled(): boolean {
  return document.querySelector<HTMLElement>('#part-head')?.dataset['settled'] === 'true';
}
