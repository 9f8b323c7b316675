import { expect, it } from 'vitest';
import { exitCodeOfChecks } from './check.js';

it('exits as any command that meets the same: 64 for a mistake in the configuration, else 69', () => {
  const [fine, away, wrong] = [0, 69, 64].map((exitCode) => ({ ok: exitCode === 0, exitCode }));
  const broken = { ok: false, exitCode: 70 };

  expect(exitCodeOfChecks([fine!, fine!])).toBe(0);
  expect(exitCodeOfChecks([fine!, away!, broken])).toBe(69);
  expect(exitCodeOfChecks([away!, wrong!])).toBe(64);
});
