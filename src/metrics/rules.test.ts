import { describe, expect, it } from 'vitest';
import { findFlags } from './flags.js';
import { createGaps } from './gaps.js';
import type { PrometheusClient, Series } from './prometheus-client.js';
import { fillRule, RULE_PRESETS, toRules } from './rules.js';

const selector = { name: 'machine', value: 'hf-1' };
const context = { selector, machine: 'hf-1', stepMs: 5000, windowMs: 61_200, limits: { cpus: 2, memoryBytes: null } };

function answering(values: Record<string, string[]>) {
  const asked: { query: string; atMs: number | undefined }[] = [];
  const prometheus = {
    query: (query: string, _signal?: AbortSignal, atMs?: number): Promise<Series[]> => {
      asked.push({ query, atMs });
      return Promise.resolve((values[query] ?? []).map((value) => ({ labels: {}, values: [[atMs ?? 0, value]] })));
    },
  } as PrometheusClient;
  return { prometheus, asked };
}

describe('fillRule', () => {
  it("fills in the job's time, the step, the machine and its CPUs", () => {
    expect(fillRule('rate(x{{selector}}[{window}:{interval}]) > {cpus}', context)).toBe(
      'rate(x{machine="hf-1"}[62s:5s]) > 2',
    );
  });

  it('has our own metrics by our own label, whatever the machine is called elsewhere', () => {
    const elsewhere = { ...context, selector: { name: 'instance', value: 'hf-1:9100' } };

    expect(fillRule('x{{own_selector}} + y{{selector}}', elsewhere)).toBe(
      'x{machine="hf-1"} + y{instance="hf-1:9100"}',
    );
    expect(fillRule(RULE_PRESETS.memory_flat.query, elsewhere)).not.toContain('instance');
    const named = { ...context, selector: { name: 'machine', value: 'vm-1' } };
    expect(fillRule('x{{own_selector}}', named)).toBe('x{machine="vm-1"}');
  });

  it('takes one CPU where the machine has no limit', () => {
    expect(fillRule('{cpus}', { ...context, limits: { cpus: null, memoryBytes: null } })).toBe('1');
    expect(fillRule('{cpus}', { ...context, limits: undefined })).toBe('1');
  });

  it('does not look again at what it put in', () => {
    const odd = { ...context, selector: { name: 'machine', value: '{window}{cpus}{interval}' } };

    expect(fillRule('x{{selector}}', odd)).toBe('x{machine="{window}{cpus}{interval}"}');
  });
});

describe('toRules', () => {
  it("gives a preset its name, query and bounds, and the configuration's own where it has them", () => {
    expect(toRules([{ preset: 'cpu_pegged' }])).toEqual([{ name: 'cpu_pegged', ...RULE_PRESETS.cpu_pegged }]);
    expect(RULE_PRESETS.cpu_pegged).toMatchObject({ threshold: 0.9, longerThanMs: 1_800_000 });
    expect(toRules([{ preset: 'outbound_traffic', name: 'leak', threshold: 5, longerThan: 1000 }])).toEqual([
      { name: 'leak', query: RULE_PRESETS.outbound_traffic.query, threshold: 5, longerThanMs: 1000 },
    ]);
  });
});

describe('findFlags', () => {
  const rule = { name: 'busy', query: 'busy', threshold: 0.9, longerThanMs: 60_000 };
  const how = { gaps: createGaps(false), signal: new AbortController().signal };

  it.each([
    [['0.95'], true],
    [['0.9'], false],
    [['0.1', '0.91'], true],
    [['NaN'], false],
    [[], false],
  ])('with %j is set: %s', async (values, flagged) => {
    const { prometheus } = answering({ busy: values });

    const { flags } = await findFlags(prometheus, [rule], { ...context, endMs: 5, jobMs: 61_200 }, how);

    expect(flags.length > 0).toBe(flagged);
    if (flagged) expect(flags).toEqual([{ name: 'busy', value: Number(values.at(-1)), threshold: 0.9 }]);
  });

  it('asks at the end of the window, and not at all about a job that was too short', async () => {
    const { prometheus, asked } = answering({});

    await findFlags(prometheus, [rule], { ...context, endMs: 5, jobMs: 60_000 }, how);
    expect(asked).toEqual([]);
    await findFlags(prometheus, [rule], { ...context, endMs: 5, jobMs: 60_001 }, how);
    expect(asked).toEqual([{ query: 'busy', atMs: 5 }]);
  });
});
