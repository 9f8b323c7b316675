// All tiers: each word of the summary is a vitest project. `npm test -- unit web` runs those that are named.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative, resolve } from 'node:path';

/**
 * What runs one after another, and how many files of it at once: each file has a server or a stack of its own, where it has one at all,
 * and mostly waits. `gitlab` is one file that plays ten jobs at once.
 */
const ROUNDS = [
  { tiers: ['unit'], abreast: 2 },
  { tiers: ['workflow'], abreast: 2 },
  { tiers: ['replay'], abreast: 1 },
  { tiers: ['integration'], abreast: 3 },
  { tiers: ['gitlab'], abreast: 1 },
  { tiers: ['web', 'faults-short'], abreast: 2 },
];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((tier) => !ROUNDS.some(({ tiers }) => tiers.includes(tier)));
if (unknown.length > 0) {
  console.error(`No such tier: ${unknown.join(', ')}. There are: ${ROUNDS.flatMap(({ tiers }) => tiers).join(', ')}.`);
  process.exit(2);
}
const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
const env = { ...process.env, PATH: `${resolve('.holdfast/bin')}${delimiter}${process.env.PATH}` };
let passed = 0;
let failed = 0;
const failures = [];

for (const { tiers, abreast } of ROUNDS) {
  const asked = tiers.filter((tier) => wanted.length === 0 || wanted.includes(tier));
  if (asked.length === 0) continue;
  const name = asked.join(' and ');
  const report = join(directory, `${asked.join('-')}.json`);
  const startedAt = Date.now();
  const run = spawnSync(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      ...asked.map((tier) => `--project=${tier}`),
      `--maxWorkers=${abreast}`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    { stdio: 'inherit', env },
  );
  const counts = readCounts(report);
  // A run that fails without a failed test (a crash, a suite that does not load) is a failure all the same.
  const broken = run.status !== 0 && counts.failed === 0 ? 1 : 0;
  passed += counts.passed;
  failed += counts.failed + broken;
  failures.push(...counts.failures.map((failure) => `${name}: ${failure}`));
  if (broken) failures.push(`${name}: the run itself failed, and no test of it (see above)`);
  console.log(
    `${name}: ${counts.passed} passed, ${counts.failed + broken} failed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`,
  );
}
rmSync(directory, { recursive: true });
// Said again at the end, where one looks first.
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

function readCounts(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    const broken = report.testResults.filter(
      (suite) => suite.status === 'failed' && suite.assertionResults.length === 0,
    );
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + broken.length,
      failures: [
        ...broken.map((suite) => `${nameOf(suite)}: ${firstLines(suite.message)}`),
        ...report.testResults.flatMap((suite) =>
          suite.assertionResults
            .filter((test) => test.status === 'failed')
            .map((test) => `${nameOf(suite)}: ${test.fullName}\n${firstLines(test.failureMessages.join('\n'))}`),
        ),
      ],
    };
  } catch {
    return { passed: 0, failed: 0, failures: [] }; // no report: the exit code tells
  }
}

function nameOf(suite) {
  return relative(process.cwd(), suite.name);
}

function firstLines(text) {
  return text
    .split('\n')
    .slice(0, 12)
    .map((line) => `    ${line.slice(0, 400)}`)
    .join('\n');
}
