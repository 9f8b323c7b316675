// All fault scenarios, or those of the groups that are named (`npm run test:faults -- worker store`), and one table of what they came to.
// With `--long` also longer variants of some (`npm run test:faults -- --long coordinator`).
// Exits 1 unless every figure is as promised; the last line is `N passed, N failed`. The same figures as JSON: test-output/faults.json.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, delimiter, join, resolve } from 'node:path';

const DIRECTORY = join('test-output', 'faults');
// Each group has a stack of its own, and mostly waits.
const ABREAST = process.env.HOLDFAST_FAULTS_ABREAST ?? '4';
/** Of the standstill of a trace; a scenario is broken only by more than its own bound (`test/support/faults/report.ts`). */
const PROMISED_S = 10;
const REPORT = join('test-output', 'faults-run.json');
const asked = process.argv.slice(2);
const groups = asked.filter((argument) => argument !== '--long');
const folders = asked.includes('--long') ? ['faults', 'faults-long'] : ['faults'];
const env = { ...process.env, PATH: `${resolve('.holdfast/bin')}${delimiter}${process.env.PATH}` };

rmSync(DIRECTORY, { recursive: true, force: true });
rmSync(REPORT, { force: true });
mkdirSync(DIRECTORY, { recursive: true });
const startedAt = Date.now();
const run = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project=faults',
    `--maxWorkers=${ABREAST}`,
    '--reporter=dot',
    '--reporter=json',
    `--outputFile.json=${REPORT}`,
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
  tookSeconds: 'took s',
  kept: 'promises',
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

const moved = results.filter(({ secondsUntilMoved }) => secondsUntilMoved !== null);
const slowest = moved.toSorted((a, b) => b.secondsUntilMoved - a.secondsUntilMoved)[0];
if (slowest !== undefined) {
  const soon = moved.filter(({ secondsUntilMoved }) => secondsUntilMoved <= PROMISED_S).length;
  console.log(
    `trace moving again within ${PROMISED_S} s of the repair: ${soon} of ${moved.length}; longest ${slowest.secondsUntilMoved.toFixed(1)} s: ${slowest.scenario}`,
  );
}
for (const { scenario, skipped } of results) if (skipped !== undefined) console.log(`SKIPPED ${scenario}: ${skipped}`);
const seconds = Math.round((Date.now() - startedAt) / 1000);
const { groups: played, passed, failures } = readRun();
for (const { group, tookSeconds } of played) console.log(`${group}: ${tookSeconds.toFixed(0)} s`);
writeFileSync(join('test-output', 'faults.json'), `${JSON.stringify({ seconds, groups: played, results }, null, 2)}\n`);
console.log(
  `${results.length} scenarios, ${results.filter(({ skipped }) => skipped !== undefined).length} skipped, in ${seconds} s; figures: test-output/faults.json`,
);
// Said again at the end, where one looks first.
for (const { scenario, broken } of results) {
  if (broken.length > 0) console.log(`BROKEN ${scenario}: ${broken.join('; ')}`);
}
for (const failure of failures) console.log(`FAILED ${failure}`);
// A run that fails without a failed test (a crash, a group that does not start) is a failure all the same.
const failed = failures.length + (run.status !== 0 && failures.length === 0 ? 1 : 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** What vitest itself says: also of groups that wrote no figures. */
function readRun() {
  if (!existsSync(REPORT)) return { groups: [], passed: 0, failures: ['the run itself: it left no report'] };
  const report = JSON.parse(readFileSync(REPORT, 'utf8'));
  const groups = report.testResults.map((suite) => ({
    group: basename(suite.name, '.test.ts'),
    tookSeconds: (suite.endTime - suite.startTime) / 1000,
  }));
  const failures = report.testResults.flatMap((suite) => {
    const tests = suite.assertionResults.filter((test) => test.status === 'failed');
    const own =
      suite.status === 'failed' && tests.length === 0
        ? [suite.message || 'what is before or after its tests (see above)']
        : [];
    return [...own, ...tests.map((test) => `${test.title}: ${test.failureMessages.join('\n')}`)].map(
      (text) => `${basename(suite.name, '.test.ts')}: ${firstLines(text)}`,
    );
  });
  return { groups, passed: report.numPassedTests, failures };
}

function firstLines(text) {
  return text
    .split('\n')
    .slice(0, 6)
    .map((line) => line.slice(0, 400))
    .join('\n    ');
}

function cell(figures, key) {
  if (key === 'kept') return figures.skipped !== undefined ? '-' : figures.broken.length === 0 ? 'kept' : 'BROKEN';
  const value = key === 'state' ? (figures.failureReason ?? figures.state) : figures[key];
  if (value === null || value === '') return '-';
  return typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(1) : String(value);
}
