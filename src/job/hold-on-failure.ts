import { parseDuration } from './durations.js';

/** A variable of the job that holds its machine as `holdfast run --hold-on-failure` does; any time that GitLab understands. */
export const HOLD_VARIABLE = 'HOLDFAST_HOLD_ON_FAILURE';
/** A held machine is one that no other job gets: forgotten holds must end. */
export const MAX_HOLD_MS = 24 * 60 * 60_000;

/**
 * @param content of a variable, as in `ResolvedVariables`; its module is none of those that workflows may load
 * @param warnings gets what the variable has wrong: told before the script, for when it has failed the machine is gone
 * @returns milliseconds; 0 when the machine is not to be held
 */
export function holdOf(content: (name: string) => string | undefined, warnings: string[]): number {
  const text = content(HOLD_VARIABLE) ?? '';
  if (text === '') return 0;
  const ms = parseDuration(text);
  if (ms === undefined) warnings.push(`${HOLD_VARIABLE} "${text}" is no time such as 30m or 1h; it is ignored`);
  else if (ms > MAX_HOLD_MS) warnings.push(`${HOLD_VARIABLE} "${text}" counts as 24h, the longest hold there is`);
  return Math.min(ms ?? 0, MAX_HOLD_MS);
}
