import type { Span, Tracer } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { spanAttributes, withAttributes } from './span-attributes.js';

describe('attributes of spans', () => {
  const info = { attempt: 2, taskQueue: 'holdfast.engine.local' };

  it('name the step, however an activity is given it, the machine and the engine', () => {
    const always = { 'temporal.attempt': 2, 'temporal.task_queue': 'holdfast.engine.local' };

    expect(spanAttributes(info, { step: 'step_script', machine: 'hf-1', engine: 'local' })).toEqual({
      ...always,
      'holdfast.step': 'step_script',
      'holdfast.machine': 'hf-1',
      'holdfast.engine': 'local',
    });
    expect(spanAttributes(info, { step: { name: 'after_script', title: 'x' } })).toEqual({
      ...always,
      'holdfast.step': 'after_script',
    });
  });

  it.each([undefined, null, 7, 'text', {}, { step: 3, machine: null }, { environment: { SECRET: 'x' } }])(
    'say nothing else of an input: %j',
    (input) => {
      expect(Object.keys(spanAttributes(info, input))).toEqual(['temporal.attempt', 'temporal.task_queue']);
    },
  );

  it('are on every span of a tracer, however it is begun', () => {
    const begun: unknown[] = [];
    const span = {} as Span;
    const tracer = {
      startSpan: (...args: unknown[]) => (begun.push(args), span),
      startActiveSpan: (...args: unknown[]) => (begun.push(args), (args.at(-1) as (s: Span) => unknown)(span)),
    } as unknown as Tracer;
    const named = withAttributes(tracer, { a: 1 });

    named.startSpan('x', { attributes: { b: 2 } });
    expect(named.startActiveSpan('y', () => 'done')).toBe('done');
    expect(begun).toEqual([
      ['x', { attributes: { b: 2, a: 1 } }, undefined],
      ['y', { attributes: { a: 1 } }, expect.any(Function)],
    ]);
  });
});
