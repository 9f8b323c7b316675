/** A figure measured several times. `p95` only where there are enough values for it to mean something. */
export interface Summary {
  median: number;
  min: number;
  max: number;
  p95?: number;
  count: number;
}

const ENOUGH_FOR_P95 = 20;

/** @throws Error on an empty list: a figure that nobody has measured is none */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new Error('No values were measured');
  return {
    median: rounded(percentile(values, 50)),
    min: rounded(Math.min(...values)),
    max: rounded(Math.max(...values)),
    ...(values.length < ENOUGH_FOR_P95 ? {} : { p95: rounded(percentile(values, 95)) }),
    count: values.length,
  };
}

/** Between two ranks the value is interpolated, so that the median of two is their mean. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(rank)];
  const above = sorted[Math.ceil(rank)];
  if (below === undefined || above === undefined) throw new Error('No values were measured');
  return below + (above - below) * (rank - Math.floor(rank));
}

/** Each value by its partner of the same round: what slows the machine for a while slows both. */
export function ratios(values: readonly number[], partners: readonly number[]): number[] {
  return paired(values, partners, (value, partner) => value / partner);
}

export function differences(values: readonly number[], partners: readonly number[]): number[] {
  return paired(values, partners, (value, partner) => value - partner);
}

function paired(
  values: readonly number[],
  partners: readonly number[],
  join: (value: number, partner: number) => number,
): number[] {
  if (values.length !== partners.length) throw new Error('Only values of the same rounds can be compared');
  return values.map((value, index) => join(value, partners[index] ?? Number.NaN));
}

/** Four significant digits: more would be noise. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
