// All tiers, one after another: each line of the summary is a vitest project. `npm test -- unit` runs one of them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative, resolve } from 'node:path';

const TIERS = ['unit', 'workflow', 'replay', 'integration', 'gitlab', 'web', 'faults-short'];
/** Files at once: each has a server or a stack of its own, where it has one at all, and mostly waits. */
const ABREAST = { unit: 2, workflow: 2, integration: 2 };
const wanted = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
const env = { ...process.env, PATH: `${resolve('.holdfast/bin')}${delimiter}${process.env.PATH}` };
let passed = 0;
let failed = 0;
const failures = [];

for (const tier of TIERS.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  const report = join(directory, `${tier}.json`);
  const startedAt = Date.now();
  const run = spawnSync(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      tier,
      ...(tier in ABREAST ? [`--maxWorkers=${ABREAST[tier]}`] : []),
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
  failures.push(...counts.failures.map((failure) => `${tier}: ${failure}`));
  if (broken) failures.push(`${tier}: the run itself failed, and no test of it (see above)`);
  console.log(
    `${tier}: ${counts.passed} passed, ${counts.failed + broken} failed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`,
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
