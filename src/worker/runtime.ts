import { DefaultLogger, Runtime, makeTelemetryFilterString, type LogEntry } from '@temporalio/worker';
import type { Logger } from '../telemetry/logger.js';

/** The SDK's one process-wide object: its logs go through ours. May be called once, before any connection. */
export function installRuntime(logger: Logger): void {
  Runtime.install({
    // Signals are ours: SIGTERM hands over, SIGQUIT drains.
    shutdownSignals: [],
    logger: new DefaultLogger('INFO', (entry) => forward(logger, entry)),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
  });
}

function forward(logger: Logger, { level, message, meta }: LogEntry): void {
  const facts = { sdk: true, ...meta };
  switch (level) {
    case 'ERROR':
      return logger.error(facts, message);
    case 'WARN':
      return logger.warn(facts, message);
    default:
      return logger.debug(facts, message);
  }
}
