import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NO_MORE_JOBS } from '../../../src/worker/serve.js';
import type { Stack } from '../stack.js';

/** What the stack's workers have logged with this message. */
export function logged({ directory }: Pick<Stack, 'directory'>, message: string): Record<string, unknown>[] {
  return readFileSync(join(directory, 'worker.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(JSON.stringify(message)))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** How many of the stack's workers have logged that they poll for jobs no more. */
export function withdrawn({ directory }: Pick<Stack, 'directory'>): number {
  return logged({ directory }, NO_MORE_JOBS).length;
}
