import type { Config } from '../config/schema.js';
import { createDirectoryStore } from './directory-store.js';
import { StoreError, type Store } from './store.js';

/** The store that the configuration names. */
export function openStore(settings: Config['store']): Promise<Store> {
  if ('directory' in settings) return Promise.resolve(createDirectoryStore({ directory: settings.directory }));
  throw new StoreError('STORE_UNREACHABLE', 'store.s3 is not supported by this version: use store.directory');
}
