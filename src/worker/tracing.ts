import { readFileSync } from 'node:fs';
import type { ActivityInterceptorsFactory, WorkerOptions } from '@temporalio/worker';
import type { Config } from '../config/schema.js';
import { spanAttributes, withAttributes } from './span-attributes.js';

/** Spans of workflows and activities, on their way to a collector. */
export interface Tracing {
  interceptor: ActivityInterceptorsFactory;
  /** How spans leave the workflow sandbox. */
  sinks: NonNullable<WorkerOptions['sinks']>;
  /** Sends what is left. */
  close(): Promise<void>;
}

type Otlp = NonNullable<Config['telemetry']['otlp']>;

/** A collector that is away must not hold up the end of a worker. */
const CLOSE_MS = 2_000;

/**
 * Nothing of this is loaded without a `telemetry.otlp`. Spans carry names, ids, times and the words of failures, which by our own
 * rule (`activities/failure.ts`) say nothing of a user's data.
 * @param revision of this build
 */
export async function startTracing(settings: Otlp, build: { version: string; revision: string }): Promise<Tracing> {
  const { BatchSpanProcessor, NodeTracerProvider } = await import('@opentelemetry/sdk-trace-node');
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const { Resource } = await import('@opentelemetry/resources');
  const temporal = await import('@temporalio/interceptors-opentelemetry/lib/worker/index.js');
  const resource = new Resource({
    'service.name': settings.serviceName,
    'service.version': build.version,
    'holdfast.revision': build.revision,
  });
  const processor = new BatchSpanProcessor(
    new OTLPTraceExporter({ url: `${settings.endpoint.replace(/\/$/, '')}/v1/traces`, headers: headersOf(settings) }),
  );
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  // OpenTelemetry's own design: what the current span is, and how it is written in headers, is one thing for a process.
  provider.register();
  const tracer = provider.getTracer('holdfast', build.version);

  return {
    interceptor: (context) => ({
      inbound: {
        execute: (input, next) =>
          new temporal.OpenTelemetryActivityInboundInterceptor(context, {
            tracer: withAttributes(tracer, spanAttributes(context.info, input.args[0])),
          }).execute(input, next),
      },
    }),
    sinks: { exporter: temporal.makeWorkflowExporter(processor, resource) },
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

function headersOf({ headers, bearerTokenFile }: Otlp): Record<string, string> {
  if (bearerTokenFile === undefined) return headers;
  return { ...headers, Authorization: `Bearer ${readFileSync(bearerTokenFile, 'utf8').trim()}` };
}
