import type Docker from 'dockerode';
import { inspect } from './inspect.js';
import { LABEL_SANDBOX } from './names.js';

/** Before an engine that is told to stop ends its containers it serves nobody any more, also no script that uses it. */
const CLOSING_MS = 2_000;

/**
 * Whether a run that failed by itself did so in a machine that was ending. An engine that is told to stop sends SIGTERM to all
 * containers at once and kills, 10 s later, what is still there: meanwhile scripts go on, and fail for want of their services, their
 * network or the engine. A sandbox ends at once, so its end tells; while it runs the machine is whole.
 * @throws when the engine cannot be reached
 */
export async function failedWithItsMachine(
  docker: Pick<Docker, 'getContainer'>,
  run: Docker.ContainerInspectInfo,
  signal: AbortSignal,
): Promise<boolean> {
  const id = run.Config.Labels[LABEL_SANDBOX];
  if (id === undefined) return false;
  const sandbox = await inspect(docker.getContainer(id), signal);
  if (sandbox === undefined) return true;
  if (sandbox.State.Running) return false;
  return Date.parse(sandbox.State.FinishedAt) < Date.parse(run.State.FinishedAt) + CLOSING_MS;
}
