import { join } from 'node:path';
import { createKeyFile, loadKeyRing, type KeyRing } from '../codec/key-ring.js';
import type { Config } from '../config/schema.js';
import type { Logger } from '../telemetry/logger.js';

/** Where the key is when nobody has said: in the directory store, so that client and worker of one machine agree. */
export function keyFileOf(config: Config): string | undefined {
  if (config.encryption.keyFile !== undefined) return config.encryption.keyFile;
  return 'directory' in config.store ? join(config.store.directory, 'key') : undefined;
}

/** @throws Error when there is no key and no place to make one */
export async function loadOrCreateKeys(config: Config, logger: Logger): Promise<KeyRing> {
  const file = keyFileOf(config);
  if (file === undefined)
    throw new Error('With an S3 store encryption.keyFile must be set: "openssl rand -base64 32" makes a key');
  if (config.encryption.keyFile === undefined && (await createKeyFile(file))) {
    logger.warn(
      { file },
      'No encryption.keyFile is configured; a key was made in the store. Keep a copy: without it nothing can be read',
    );
  }
  const { ring, warnings } = await loadKeyRing(file);
  for (const warning of warnings) logger.warn({ warning }, 'The key file is not private');
  return ring;
}
