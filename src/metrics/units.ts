const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** How a query's values read, by its name: those of the presets have units, any other is a number. */
export function formatterOf(query: string): (value: number) => string {
  if (query === 'cpu') return (value) => `${value.toFixed(2)} cores`;
  if (query === 'memory') return formatBytes;
  if (/^(network|disk)_/.test(query)) return (value) => `${formatBytes(value)}/s`;
  return (value) => String(Number(value.toPrecision(4)));
}

/** @returns e.g. `512 B`, `1.5 MiB` */
export function formatBytes(value: number): string {
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 1024 && unit < BYTE_UNITS.length - 1) [scaled, unit] = [scaled / 1024, unit + 1];
  return `${scaled.toFixed(unit === 0 ? 0 : 1)} ${BYTE_UNITS[unit] ?? ''}`;
}

/** Other people's words (Prometheus', a proxy's, a configuration's) must not steer a terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

const SPANS: [unit: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** @returns e.g. `15 d`, `90 min`: in the largest unit of which there are at least two */
export function formatSpan(ms: number): string {
  const [unit, unitMs] = SPANS.find(([, size]) => ms >= 2 * size) ?? ['s', 1000];
  return `${String(Math.round(ms / unitMs))} ${unit}`;
}
