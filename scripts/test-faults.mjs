// All fault scenarios, or those of the groups that are named (`npm run test:faults -- worker store`), and one table of what they came to.
// With `--long` also those that take longer than five minutes each (alone: `npm run test:faults -- --long servers`).
// Exits 1 unless every figure is as promised. The same figures as JSON: test-output/faults.json.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const DIRECTORY = join('test-output', 'faults');
const ABREAST = process.env.HOLDFAST_FAULTS_ABREAST ?? '4';
const asked = process.argv.slice(2);
const groups = asked.filter((argument) => argument !== '--long');
const folders = asked.includes('--long') ? ['faults', 'faults-long'] : ['faults'];
const env = { ...process.env, PATH: `${resolve('.holdfast/bin')}${delimiter}${process.env.PATH}` };

rmSync(DIRECTORY, { recursive: true, force: true });
mkdirSync(DIRECTORY, { recursive: true });
const startedAt = Date.now();
const run = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project=faults',
    // Each group has a stack of its own, and mostly waits.
    `--maxWorkers=${ABREAST}`,
    '--reporter=dot',
    ...folders.flatMap((folder) =>
      groups.length === 0 ? [`test/${folder}/`] : groups.map((group) => `test/${folder}/${group}.test.ts`),
    ),
  ],
  { stdio: 'inherit', env },
);

const results = readdirSync(DIRECTORY)
  .filter((file) => file.endsWith('.json'))
  .flatMap((file) => JSON.parse(readFileSync(join(DIRECTORY, file), 'utf8')));
const COLUMNS = {
  scenario: 'scenario',
  jobsLost: 'jobs lost',
  runs: 'runs',
  linesLost: 'lines lost',
  linesDoubled: 'doubled',
  outOfOrder: 'disorder',
  secondsUntilMoved: 'moved after s',
  leftovers: 'leftovers',
  violations: 'violations',
  state: 'state',
  coordinator: 'coordinator',
};
const rows = [
  Object.values(COLUMNS),
  ...results.map((figures) => Object.keys(COLUMNS).map((key) => cell(figures, key))),
];
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
console.log(
  rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n'),
);

for (const { scenario, skipped } of results) if (skipped !== undefined) console.log(`SKIPPED ${scenario}: ${skipped}`);
const broken = results.filter((figures) => figures.broken.length > 0);
for (const { scenario, broken: promises } of broken) console.log(`BROKEN ${scenario}: ${promises.join('; ')}`);
const seconds = ((Date.now() - startedAt) / 1000).toFixed(0);
writeFileSync(
  join('test-output', 'faults.json'),
  `${JSON.stringify({ seconds: Number(seconds), results }, null, 2)}\n`,
);
console.log(
  `${results.length} scenarios, ${results.filter(({ skipped }) => skipped !== undefined).length} skipped, ${broken.length} broken promises, ${seconds} s; figures: test-output/faults.json`,
);
process.exitCode = run.status === 0 && broken.length === 0 && results.length > 0 ? 0 : 1;

function cell(figures, key) {
  const value = key === 'state' ? (figures.failureReason ?? figures.state) : figures[key];
  if (value === null || value === '') return '-';
  return typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(1) : String(value);
}
