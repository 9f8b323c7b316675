import { createMasker } from './masker.js';

/** A whole text as a trace would show it: for messages that name what a job has named. */
export function maskText(text: string, rules: { masks: readonly string[]; tokenPrefixes: readonly string[] }): string {
  const masker = createMasker({ phrases: rules.masks, tokenPrefixes: rules.tokenPrefixes });
  return Buffer.concat([masker.push(Buffer.from(text)), masker.flush()]).toString('utf8');
}
