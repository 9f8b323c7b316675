const UNITS: Record<string, number> = {
  ms: 0.001,
  s: 1,
  sec: 1,
  secs: 1,
  second: 1,
  seconds: 1,
  m: 60,
  min: 60,
  mins: 60,
  minute: 60,
  minutes: 60,
  h: 3600,
  hr: 3600,
  hrs: 3600,
  hour: 3600,
  hours: 3600,
  d: 86_400,
  day: 86_400,
  days: 86_400,
  w: 604_800,
  week: 604_800,
  weeks: 604_800,
};

/**
 * GitLab's way to write a time: `3600`, `90s`, `1h 30m`, `2 hours`, `1 day and 6 hours`. A bare number is seconds.
 * @returns milliseconds, or undefined when it is no time
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const pattern = /\s*(?:and\s+|,\s*)?(\d+(?:\.\d+)?)\s*([a-z]+)/y;
  let seconds = 0;
  let at = 0;
  while (at < trimmed.length) {
    pattern.lastIndex = at;
    const part = pattern.exec(trimmed);
    const unit = part?.[2] === undefined ? undefined : UNITS[part[2]];
    if (part === null || unit === undefined) return undefined;
    seconds += Number(part[1]) * unit;
    at = pattern.lastIndex;
  }
  return trimmed === '' ? undefined : Math.round(seconds * 1000);
}

/**
 * Go's way, which GitLab's runner variables use: `90s`, `1h30m`, `1.5h`, `500ms`.
 * @returns milliseconds, or undefined when it is no duration
 */
export function parseGoDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|us|µs|ns|s|m|h))+$/.test(text)) return text === '0' ? 0 : undefined;
  const factors: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h)/g)) {
    ms += Number(count) * (factors[unit ?? ''] ?? 0);
  }
  return Math.round(ms);
}
