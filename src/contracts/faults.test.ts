import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MACHINE_ERROR_CODES } from '../machines/engine.js';
import { FAILURE_CODES, faultOf } from './faults.js';

/** Codes as the sources throw them: `type: 'CODE'`, and the codes of the errors that are turned into failures. */
function thrownCodes(): string[] {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
  const sources = files.map((file) => readFileSync(join('src', file), 'utf8')).join('\n');
  const thrown = [...sources.matchAll(/\btype: '([A-Z][A-Z_]+)'/g)].map(([, code]) => code ?? '');
  const prefixed = [...sources.matchAll(/'((?:STORE|PROMETHEUS)_[A-Z_]+)'/g)].map(([, code]) => code ?? '');
  const keyword = ['KEYWORD', 'KEYWORD_LIST']; // types of search attributes
  return [...new Set([...thrown, ...prefixed, ...Object.keys(MACHINE_ERROR_CODES)])].filter(
    (code) => !keyword.includes(code),
  );
}

describe('the table of failures', () => {
  it('has every code that is thrown', () => {
    expect(thrownCodes().filter((code) => !Object.hasOwn(FAILURE_CODES, code))).toEqual([]);
  });

  it('has no code that is not', () => {
    // Made by the flight recorder out of Temporal's own failures, and by the troubles of a conversation.
    const made = ['WORKER_LOST', 'TIME_LIMIT', 'COORDINATOR_AWAY'];

    expect(Object.keys(FAILURE_CODES).filter((code) => !thrownCodes().includes(code) && !made.includes(code))).toEqual(
      [],
    );
  });

  it('takes an unknown code for our own error', () => {
    expect(faultOf('toString')).toBe(FAILURE_CODES.UNEXPECTED);
  });
});
