import { expect, it } from 'vitest';
import { createAges } from './ages.js';

function setup() {
  const time = { wall: 1_000_000_000, steady: 0 };
  const ages = createAges({ wall: () => time.wall, steady: () => time.steady });
  return { time, ages };
}

it('of a leftover that was made long ago is over at the first sweep', () => {
  const { time, ages } = setup();

  expect(ages.isOver('a', 10_000, time.wall - 10_001)).toBe(true);
  expect(ages.isOver('b', 10_000, time.wall - 9_000)).toBe(false);
});

it('passes also where the clock was set back by an hour', () => {
  const { time, ages } = setup();
  const madeAtMs = time.wall + 3_600_000;
  ages.nextSweep();
  expect(ages.isOver('a', 10_000, madeAtMs)).toBe(false);

  time.steady += 10_000;
  ages.nextSweep();

  expect(ages.isOver('a', 10_000, madeAtMs)).toBe(true);
});

it('begins anew for what a sweep has not seen', () => {
  const { time, ages } = setup();
  ages.isOver('a', 10_000);
  ages.nextSweep();
  ages.nextSweep();
  time.steady += 10_000;

  expect(ages.isOver('a', 10_000)).toBe(false);
});
