import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Config } from '../config/schema.js';
import { guarded } from './reach.js';
import { installationOf, type Installation } from '../machines/installation.js';

/**
 * Who we are on an engine, from the namespace that has our workflows.
 * @throws Error when Temporal does not say
 */
export async function readInstallation(client: Client, config: Config): Promise<Installation> {
  const { namespace } = config.temporal;
  const { namespaceInfo } = await guarded(
    () => client.workflowService.describeNamespace({ namespace }),
    config.temporal.address,
  );
  const id = namespaceInfo?.id;
  if (id == null || id === '') {
    throw new Error(
      `Temporal does not tell the id of namespace ${namespace}, by which Holdfast knows its own containers: does it exist, and may this client describe it?`,
    );
  }
  return installationOf(id, placeOf(config));
}

/** A loopback address and a directory are this host's; the same words mean something else on the next one. */
function placeOf({ temporal, store }: Config): string[] {
  const local = 'directory' in store || /^(localhost|127\.|\[::1\])/.test(temporal.address);
  const where =
    'directory' in store
      ? [resolve(store.directory)]
      : [store.s3.endpoint ?? '', store.s3.region, store.s3.bucket, store.s3.prefix];
  return [local ? hostname() : '', temporal.address, temporal.namespace, ...where];
}
