import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startStandIn, type StandIn } from '../../support/http-stand-in.js';
import { until } from '../../support/processes.js';
import { TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

const Attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) });
const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  attributes: z.array(Attribute).default([]),
  status: z.object({ code: z.number().optional() }).optional(),
});
type Span = z.infer<typeof Span>;
const Export = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(Attribute) }),
      scopeSpans: z.array(z.object({ spans: z.array(Span) })),
    }),
  ),
});

describe('with an OpenTelemetry collector', () => {
  let collector: StandIn;
  let stack: Stack;

  beforeAll(async () => {
    collector = await startStandIn(() => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{}',
    }));
    const otlp = { endpoint: collector.url, headers: { 'x-tenant': 'ci' } };
    stack = await startStack({ top: { telemetry: { otlp } }, metrics: { enabled: false }, prometheus: false });
  });

  afterAll(async () => {
    await stack.close();
    await collector.close();
  });

  function spans(): Span[] {
    return collector.seen.flatMap(({ body }) =>
      Export.parse(JSON.parse(body.toString('utf8'))).resourceSpans.flatMap(({ scopeSpans }) =>
        scopeSpans.flatMap((scope) => scope.spans),
      ),
    );
  }

  function attribute(span: Span | undefined, key: string): unknown {
    return Object.values(span?.attributes.find((entry) => entry.key === key)?.value ?? {})[0];
  }

  it('tells it of a job: the workflow, its activities below it, each step by name, and nothing of what is secret', async () => {
    const handle = await stack.client.startJob({
      image: TEST_IMAGE,
      variables: { PASSWORD: 'very-secret-word' },
      script: ['echo of-the-script'],
      after_script: ['true'],
    });
    expect((await handle.result()).state).toBe('success');
    const job = () => spans().filter((span) => attribute(span, 'temporalWorkflowId') === handle.workflowId);
    await until('the spans of the job', () => job().some(({ name }) => name === 'RunActivity:releaseMachine'), 30_000);
    await until('the span of the workflow', () => spans().some(({ name }) => name === 'RunWorkflow:ciJob'), 30_000);

    const all = spans();
    const steps = job().filter(({ name }) => name === 'RunActivity:runStep');
    expect(steps.map((span) => attribute(span, 'holdfast.step')).sort()).toEqual(['after_script', 'step_script']);
    expect(job().map(({ name }) => name)).toContain('RunActivity:provisionMachine');
    const script = steps.find((span) => attribute(span, 'holdfast.step') === 'step_script');
    const scheduled = all.find(({ spanId }) => spanId === script?.parentSpanId);
    expect(scheduled?.name).toBe('StartActivity:runStep');
    expect(new Set(job().map(({ traceId }) => traceId)).size).toBe(1);
    expect(collector.seen[0]?.path).toBe('/v1/traces');
    expect(collector.seen[0]?.headers['x-tenant']).toBe('ci');
    const sent = collector.seen.map(({ body }) => body.toString('utf8')).join('');
    expect(sent).toContain('"holdfast"');
    expect(sent).not.toMatch(/very-secret-word|of-the-script/);
  });
});
