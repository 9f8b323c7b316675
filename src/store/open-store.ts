import type { Config } from '../config/schema.js';
import { createDirectoryStore } from './directory-store.js';
import type { Store } from './store.js';

/** The store that the configuration names. @throws StoreError */
export async function openStore(settings: Config['store']): Promise<Store> {
  if ('directory' in settings) return createDirectoryStore({ directory: settings.directory });
  // Loaded only where it is used: a tenth of a second and some megabytes.
  const { openS3Store } = await import('./s3/open-s3-store.js');
  return openS3Store(settings.s3);
}
