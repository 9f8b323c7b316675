import { expect, it } from 'vitest';
import { isOwnReport } from './own-report.js';

const OURS = new Set(['ours']);

it('of a job is a drain to wait for where its machine is one of ours', () => {
  expect(isOwnReport({ engine: 'ours', state: 'running' }, OURS)).toBe(true);
  expect(isOwnReport({ engine: 'ours', state: 'success' }, OURS)).toBe(true);
  expect(isOwnReport({ engine: 'another', state: 'running' }, OURS)).toBe(false);
});

it('of a job without a machine is one to wait for when nothing but its end is to be told', () => {
  expect(isOwnReport({ engine: null, state: 'pending' }, OURS)).toBe(false);
  expect(isOwnReport({ engine: null, state: 'preparing' }, OURS)).toBe(false);
  expect(isOwnReport({ engine: null, state: 'finishing' }, OURS)).toBe(true);
  expect(isOwnReport({ engine: null, state: 'failed' }, OURS)).toBe(true);
});
