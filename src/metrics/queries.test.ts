import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../test/support/any-text.js';
import {
  chooseQueries,
  fillQuery,
  HOLDFAST_QUERIES,
  parsePromDuration,
  QUERY_PRESETS,
  toPromDuration,
} from './queries.js';

const selector = { name: 'machine', value: 'hf-1' };

describe('fillQuery', () => {
  it('puts the selector inside the braces of the metric and the step into the brackets', () => {
    expect(fillQuery('rate(x_total{{selector}}[{interval}])', selector, 5000)).toBe(
      'rate(x_total{machine="hf-1"}[5s])',
    );
  });

  it('leaves all other braces and colons to PromQL', () => {
    const template = 'max by (le) (job:rate5m{mode!~"a{2}|b",{selector}}[5m:{interval}]) # {other}';

    expect(fillQuery(template, selector, 10_000)).toBe(
      'max by (le) (job:rate5m{mode!~"a{2}|b",machine="hf-1"}[5m:10s]) # {other}',
    );
  });

  it('escapes a value so that it stays one string', () => {
    expect(fillQuery('x{{selector}}', { name: 'm', value: 'a"b\\c\nd' }, 1000)).toBe('x{m="a\\"b\\\\c\\nd"}');
  });

  it('does not look again at what it has put in', () => {
    expect(fillQuery('x{{selector}}[{interval}]', { name: 'm', value: '{interval}$&$1' }, 1000)).toBe(
      'x{m="{interval}$&$1"}[1s]',
    );
  });

  it('never leaves a value its own string, whatever the value', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (value) => {
        const filled = fillQuery('{selector}', { name: 'm', value }, 1000);

        expect(filled).toMatch(/^m="(?:[^"\\\n]|\\["\\n])*"$/u);
        expect(JSON.parse(filled.slice(2).replaceAll(/[\u0000-\u001f]/g, ''))).toBe(
          value.replaceAll(/[\u0000-\u0009\u000b-\u001f]/g, ''),
        );
      }),
    );
  });
});

describe('toPromDuration', () => {
  it('writes whole numbers only', () => {
    expect(toPromDuration(60_000)).toBe('60s');
    expect(toPromDuration(1500)).toBe('1500ms');
  });
});

describe('the presets', () => {
  it.each(Object.entries(QUERY_PRESETS))(
    '%s asks for CPU, memory, network and disk of the selected machine',
    (_, queries) => {
      expect(Object.keys(queries).filter((name) => name !== 'cpu_throttled')).toEqual([
        'cpu',
        'memory',
        'network_receive',
        'network_transmit',
        'disk_read',
        'disk_write',
      ]);
      for (const query of Object.values(queries)) expect(query).toContain('{selector}}');
    },
  );
});

describe('chooseQueries', () => {
  it('takes the built-in preset where nothing is configured', () => {
    expect(chooseQueries({})).toEqual({ queries: HOLDFAST_QUERIES, aggregates: {} });
  });

  it('takes only the own queries where there are some and no preset', () => {
    expect(chooseQueries({ queries: { up: 'up{{selector}}' } })).toEqual({
      queries: { up: 'up{{selector}}' },
      aggregates: {},
    });
  });

  it('puts own queries over those of a preset, each with its aggregate', () => {
    const { queries, aggregates } = chooseQueries({
      preset: 'node_exporter',
      queries: { memory: { promql: 'm{{selector}}', aggregate: 'max' }, load: { promql: 'node_load1{{selector}}' } },
    });

    expect(queries).toEqual({
      ...QUERY_PRESETS.node_exporter,
      memory: 'm{{selector}}',
      load: 'node_load1{{selector}}',
    });
    expect(aggregates).toEqual({ memory: 'max' });
  });
});

describe('parsePromDuration', () => {
  it.each([
    ['15d', 1_296_000_000],
    ['1h30m', 5_400_000],
    ['90s or 1GiB', 90_000],
    ['1GiB', undefined],
    ['', undefined],
  ])('reads %j as %s', (text, ms) => {
    expect(parsePromDuration(text)).toBe(ms);
  });
});
