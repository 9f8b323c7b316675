import { createServer } from 'node:net';
import { DefaultLogger, Runtime, makeTelemetryFilterString, type LogEntry } from '@temporalio/worker';
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('The system gave no free port');
  return address.port;
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
