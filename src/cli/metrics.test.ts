import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import type { JobStatus } from '../client.js';
import { addMetrics, noMetricsText } from './metrics.js';

/** The commands with their work taken out: what is tested is which of them gets which options. */
function parse(...argv: string[]): { command: string; options: unknown } {
  const program = new Command('holdfast').exitOverride().enablePositionalOptions();
  addMetrics(program);
  const metrics = program.commands[0]!;
  let seen = { command: '', options: {} as unknown };
  for (const command of [metrics, ...metrics.commands])
    command.action(() => {
      seen = { command: command.name(), options: command.opts() };
    });
  program.parse(argv, { from: 'user' });
  return seen;
}

it('metrics that were never to be are not said to be collected again', () => {
  const status = { id: 'x', workflowId: 'job/x' } as JobStatus;

  expect(noMetricsText({ ...status, metrics: 'none' }, '')).toBe('No metrics are kept of job/x: they are none');
  expect(noMetricsText({ ...status, metrics: 'failed' }, '')).toContain('"holdfast metrics replay x" tries again');
});

describe('holdfast metrics', () => {
  it('and its replay share options, and each gets its own', () => {
    expect(parse('metrics', 'abc', '--json', '--config', 'a')).toEqual({
      command: 'metrics',
      options: { json: true, config: 'a' },
    });
    expect(parse('metrics', 'replay', '--failed', '--json', '--config', 'b')).toMatchObject({
      command: 'replay',
      options: { failed: true, json: true, config: 'b' },
    });
  });
});
