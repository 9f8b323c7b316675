// All tiers, one after another: each line of the summary is a vitest project. `npm test -- unit` runs one of them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

const TIERS = ['unit', 'workflow', 'replay', 'integration', 'gitlab', 'web', 'faults-short'];
const wanted = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
const env = { ...process.env, PATH: `${resolve('.holdfast/bin')}${delimiter}${process.env.PATH}` };
let passed = 0;
let failed = 0;

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
      '--passWithNoTests',
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
  console.log(
    `${tier}: ${counts.passed} passed, ${counts.failed + broken} failed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`,
  );
}
rmSync(directory, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

function readCounts(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    const suites = report.testResults.filter(
      (suite) => suite.status === 'failed' && suite.assertionResults.length === 0,
    ).length;
    return { passed: report.numPassedTests, failed: report.numFailedTests + suites };
  } catch {
    return { passed: 0, failed: 0 }; // no report: the exit code tells
  }
}
