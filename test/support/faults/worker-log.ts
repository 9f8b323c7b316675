import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NO_MORE_JOBS } from '../../../src/worker/serve.js';
import type { Stack } from '../stack.js';

/** How many of the stack's workers have logged that they poll for jobs no more. */
export function withdrawn({ directory }: Pick<Stack, 'directory'>): number {
  return readFileSync(join(directory, 'worker.log'), 'utf8').split(NO_MORE_JOBS).length - 1;
}
