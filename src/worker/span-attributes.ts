import type { AttributeValue, Span, SpanOptions, Tracer } from '@opentelemetry/api';

/** What a span of an activity says besides its times; names and ids only, nothing of a job's content. */
export function spanAttributes(
  info: { attempt: number; taskQueue: string },
  input: unknown,
): Record<string, AttributeValue> {
  return {
    'temporal.attempt': info.attempt,
    'temporal.task_queue': info.taskQueue,
    ...named('holdfast.step', stepOf(input)),
    ...named('holdfast.machine', textOf(input, 'machine')),
    ...named('holdfast.engine', textOf(input, 'engine')),
  };
}

/** Steps are named by our plan (`step_script`, …); an activity's input has the name itself, or an object with it. */
function stepOf(input: unknown): string | undefined {
  return textOf(input, 'step') ?? (isObject(input) ? textOf(input['step'], 'name') : undefined);
}

function textOf(value: unknown, key: string): string | undefined {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === 'string' ? found : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function named(key: string, value: string | undefined): Record<string, AttributeValue> {
  return value === undefined ? {} : { [key]: value };
}

/** A tracer whose spans all carry these attributes. */
export function withAttributes(tracer: Tracer, attributes: Record<string, AttributeValue>): Tracer {
  const extended = (options: SpanOptions = {}): SpanOptions => ({
    ...options,
    attributes: { ...options.attributes, ...attributes },
  });
  return {
    startSpan: (name, options, context) => tracer.startSpan(name, extended(options), context),
    startActiveSpan(name: string, ...rest: unknown[]) {
      // The last argument is the function, before it options and context, each optional.
      const work = rest.at(-1) as (span: Span) => unknown;
      const [options, context] = rest.slice(0, -1) as [SpanOptions?, Parameters<Tracer['startSpan']>[2]?];
      return context === undefined
        ? tracer.startActiveSpan(name, extended(options), work)
        : tracer.startActiveSpan(name, extended(options), context, work);
    },
  };
}
