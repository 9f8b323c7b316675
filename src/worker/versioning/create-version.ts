import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import type { WorkerDeploymentOptions } from '@temporalio/worker';
import type { Config } from '../../config/schema.js';
import type { Logger } from '../../telemetry/logger.js';
import { VERSION } from '../../version.js';
import { buildIdOf } from './build-id.js';
import { createDeployment, VersioningUnsupportedError } from './deployment.js';
import { keepVersion, type KeptVersion } from './keep-version.js';

export interface WorkerVersion {
  /** Of the workflow bundle. */
  codePath: string;
  /** For the worker that runs workflows, and for no other: any version may do the activities of engines. */
  deploymentOptions: WorkerDeploymentOptions | undefined;
  kept: KeptVersion;
}

/** The version of this worker's workflow code, and whoever looks after it. */
export async function createVersion(deps: { config: Config; client: Client; logger: Logger }): Promise<WorkerVersion> {
  const { config, client, logger } = deps;
  const { versioning } = config.worker;
  const codePath = workflowBundlePath(config.telemetry.otlp !== undefined);
  const deployment = createDeployment(client, config.temporal.taskQueue);
  const buildId = versioning.enabled ? buildIdOf(VERSION, readFileSync(codePath)) : null;
  const settings = { deployment, promote: versioning.promote, lookEveryMs: versioning.lookEvery, logger };
  try {
    await deployment.current();
  } catch (error) {
    if (!(error instanceof VersioningUnsupportedError)) throw error;
    logger.warn(
      { error: error.message },
      'Workers run without versions: upgrade only with code that fits the open jobs',
    );
    return { codePath, deploymentOptions: undefined, kept: nothingToKeep() };
  }
  return {
    codePath,
    deploymentOptions:
      buildId === null
        ? undefined
        : {
            useWorkerVersioning: true,
            version: { deploymentName: deployment.name, buildId },
            defaultVersioningBehavior: 'PINNED',
          },
    kept: keepVersion({ ...settings, buildId }),
  };
}

function nothingToKeep(): KeptVersion {
  const done = () => Promise.resolve();
  return { start: () => undefined, assertSettled: () => undefined, look: done, stop: done };
}

/** @throws Error when the bundle was not built: bundling at start would cost seconds and memory that nobody asked for */
function workflowBundlePath(traced: boolean): string {
  const name = traced ? 'workflow-bundle-traced.js' : 'workflow-bundle.js';
  const path = fileURLToPath(new URL(`../../${name}`, import.meta.url));
  if (existsSync(path)) return path;
  throw new Error(`The workflow bundle ${path} is missing: run "npm run build"`);
}
