/** Values of a config.toml in the form that ours has. */

/** What of a value cannot be taken over; the message is for a person. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
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

export function asSeconds(value: unknown): string {
  const seconds = asNumber(value);
  if (seconds < 0) throw new ValueError('a negative time means not to wait: set engines[].serviceWait to 0');
  // gitlab-protocol section 5.6: 0 is the default.
  return `${String(seconds === 0 ? 30 : seconds)}s`;
}

export function asScalars<T>(value: unknown, read: (item: unknown) => T): Record<string, T> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ValueError('it is no table');
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item)]));
}

/** `["KEY=value"]` */
export function asEnvironment(value: unknown): Record<string, string> {
  return Object.fromEntries(
    asList(value).map((line) => {
      const equals = line.indexOf('=');
      if (equals <= 0) throw new ValueError('it has a line that is not KEY=value');
      return [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
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
