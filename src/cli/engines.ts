import type { HoldfastClient } from '../client.js';
import type { Config } from '../config/schema.js';
import type { Engine } from '../machines/engine.js';
import { UsageError } from './exit-codes.js';

/** The configured engines, for commands that look at machines themselves. Loaded late, as the client is. */
export async function openEngines(config: Config, client: HoldfastClient): Promise<Engine[]> {
  const [{ createDockerEngine }, { createLogger }, { readInstallation }] = await Promise.all([
    import('../machines/docker/docker-engine.js'),
    import('../telemetry/logger.js'),
    import('../client/installation.js'),
  ]);
  const logger = createLogger('error');
  const installation = await readInstallation(client.temporal, config);
  return config.engines.map((settings) => createDockerEngine({ settings, installation, logger }));
}

/** @throws UsageError naming the engines that there are */
export function engineNamed(engines: readonly Engine[], name: string): Engine {
  const found = engines.find((engine) => engine.name === name);
  if (found !== undefined) return found;
  const known = engines.map((engine) => engine.name).join(', ');
  throw new UsageError(`This configuration has no engine "${name}", only ${known}: use the one of the job's worker`);
}
