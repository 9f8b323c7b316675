// Jobs of many kinds while everything is killed, paused and broken at random: `npm run test:soak -- --seed 7 --minutes 3`.
// The same seed draws the same jobs and faults. Exits 1 with the command to repeat it when a promise was broken.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { figuresTable } from '../test/support/faults/report.js';
import { soak } from '../test/support/soak/soak.js';

const MAX_SEED = 1_000_000;
const { values } = parseArgs({ options: { seed: { type: 'string' }, minutes: { type: 'string' } } });
const seed = values.seed === undefined ? randomInt(MAX_SEED) : numberOf('--seed', values.seed, 0, MAX_SEED);
const minutes = values.minutes === undefined ? 5 : numberOf('--minutes', values.minutes, 0.1, 600);
if (!Number.isInteger(seed)) refuse(`--seed ${String(seed)} is no whole number`);

const again = `npm run test:soak -- --seed ${String(seed)} --minutes ${String(minutes)}`;
process.stdout.write(`${again}\n`);
const { figures, broken, summary, kept } = await soak(seed, minutes, (line) => process.stdout.write(`${line}\n`));
process.stdout.write(`\n${figuresTable(figures)}\n`);
for (const promise of broken) process.stdout.write(`BROKEN ${promise}\n`);
process.stdout.write(`${summary}\n`);
process.stdout.write(`Logs, traces and lives of the jobs: ${kept}\n`);
if (broken.length > 0) process.stdout.write(`Once more: ${again}\n`);
process.exit(broken.length === 0 ? 0 : 1);

function numberOf(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text === '' || !(value >= min && value <= max))
    refuse(`${option} ${text} is not a number from ${String(min)} to ${String(max)}`);
  return value;
}

function refuse(message: string): never {
  process.stderr.write(`test:soak: ${message}\n`);
  process.exit(64);
}
