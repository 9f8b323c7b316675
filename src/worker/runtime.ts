import { DefaultLogger, Runtime, makeTelemetryFilterString, type LogEntry } from '@temporalio/worker';
import { READ_ANEW } from '../contracts/names.js';
import { freePort } from '../telemetry/free-port.js';
import type { Logger } from '../telemetry/logger.js';

/**
 * The SDK's one process-wide object: its logs go through ours, its metrics to an exporter on a free loopback port, since its
 * native core cannot hand over the text. May be called once, before any connection.
 * @returns where the SDK's metrics are, for the worker's own `/metrics`
 */
export async function installRuntime(logger: Logger): Promise<{ metricsUrl: string }> {
  const bindAddress = `127.0.0.1:${String(await freePort())}`;
  Runtime.install({
    // Signals are ours: SIGTERM hands over, SIGQUIT drains.
    shutdownSignals: [],
    logger: new DefaultLogger('INFO', (entry) => forward(logger, entry)),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      metrics: {
        prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true },
      },
    },
  });
  return { metricsUrl: `http://${bindAddress}/metrics` };
}

function forward(logger: Logger, { level, message, meta }: LogEntry): void {
  const facts = { sdk: true, ...meta };
  if (isReadAnew(meta)) return logger.debug(facts, message);
  switch (level) {
    case 'ERROR':
      return logger.error(facts, message);
    case 'WARN':
      return logger.warn(facts, message);
    default:
      return logger.debug(facts, message);
  }
}

/** Meant by us, an error to the SDK, which logs it twice: whoever asked asks again. */
function isReadAnew(meta: LogEntry['meta']): boolean {
  const { error, failure } = (meta ?? {}) as { error?: unknown; failure?: unknown };
  return (error instanceof Error && error.message === READ_ANEW) || String(failure).includes(READ_ANEW);
}
