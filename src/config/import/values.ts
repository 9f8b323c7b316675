import type { z } from 'zod';
import { toProblems } from '../../job/problems.js';
import { SETTING_SCHEMAS } from '../schema.js';

/** Values of a config.toml in the form that ours has. */

/** What of a value cannot be taken over; the message is for a person. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

/** As `gitlab-runner register` writes what nobody has set. */
export function isUnset(value: unknown): boolean {
  return value === 0 || value === false || isEmpty(value);
}

export function isEmpty(value: unknown): boolean {
  return value === '' || (Array.isArray(value) && value.length === 0);
}

/** @throws ValueError when our configuration would not have it at that place */
export function accepted<T>(place: keyof typeof SETTING_SCHEMAS, key: string, value: T): T {
  const schemas: Record<string, z.ZodType> = SETTING_SCHEMAS[place];
  const parsed = schemas[key]?.safeParse(value);
  if (parsed?.success !== false) return value;
  const [problem] = toProblems(parsed.error, () => []);
  throw new ValueError(`${problem?.message ?? 'it is not valid'} (${place}.${key})`);
}

export function asText(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  throw new ValueError(value === '' ? 'it is empty' : 'it is no text');
}

/** gitlab-runner takes some numbers as text (`cpus = "2"`). */
export function asNumber(value: unknown): number {
  const number = typeof value === 'bigint' || typeof value === 'string' ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(number) && value !== '') return number;
  throw new ValueError('it is no number');
}

export function asBoolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new ValueError('it is neither true nor false');
}

export function asList(value: unknown): string[] {
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map(asText);
}

export function asServiceWait(value: unknown): string {
  const seconds = asNumber(value);
  // gitlab-protocol section 5.6: 0 is the default, and a negative time is none.
  return `${String(seconds === 0 ? 30 : Math.max(seconds, 0))}s`;
}

export function asScalars<T>(value: unknown, read: (item: unknown) => T): Record<string, T> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ValueError('it is no table');
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item)]));
}

/**
 * `["KEY=value"]`
 * @returns also which lines cannot be variables, by name or number: the values may be secret
 */
export function asEnvironment(value: unknown): { variables: Record<string, string>; refused: string[] } {
  const variables: Record<string, string> = {};
  const refused: string[] = [];
  asList(value).forEach((line, index) => {
    const equals = line.indexOf('=');
    const [key, text] = [line.slice(0, Math.max(equals, 0)), line.slice(equals + 1)];
    if (equals <= 0) refused.push(`line ${String(index + 1)}`);
    else if (!SETTING_SCHEMAS.gitlab.environment.safeParse({ [key]: text }).success) refused.push(`"${key}"`);
    else variables[key] = text;
  });
  return { variables, refused };
}

/** `:9252` listens everywhere. */
export function asPorts(value: unknown): string {
  const text = asText(value);
  if (/^:\d+$/.test(text)) return `0.0.0.0${text}`;
  return /:\d+$/.test(text) ? text : `${text}:9252`;
}

const LEVELS: Record<string, string> = { warning: 'warn', fatal: 'error', panic: 'error' };

export function asServerLevel(value: unknown): string {
  const text = asText(value).toLowerCase();
  return LEVELS[text] ?? text;
}
