import { until } from '../processes.js';
import { docker } from '../docker.js';

/** The sweep counts a volume as left after two minutes, and comes once a minute. */
const SWEPT_MS = 200_000;

/** Volumes of the engine that no container, warm ones included, counts as its own; in the end, when the sweep had its time. */
export async function lonelyVolumes(engine: string): Promise<string[]> {
  const label = `label=holdfast.engine=${engine}`;
  const lonely = () => {
    const used = new Set(docker('ps', '-a', '--filter', label, '--format', '{{.Label "holdfast.volume"}}'));
    return docker('volume', 'ls', '--filter', label, '--format', '{{.Name}}').filter((name) => !used.has(name));
  };
  await until('the end of all volumes', () => lonely().length === 0, SWEPT_MS).catch(() => undefined);
  return lonely();
}
