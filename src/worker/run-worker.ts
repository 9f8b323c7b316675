import { readFileSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import { createFlightLog } from '../activities/flight-log.js';
import type { SharedDeps } from '../activities/deps.js';
import { createPlanVault } from '../activities/plan-vault.js';
import { createTraceHub } from '../activities/trace-hub.js';
import { registerCodecRoutes } from '../codec/codec-server.js';
import { createPayloadCodec } from '../codec/payload-codec.js';
import { buildRevision } from '../config/load.js';
import { isLoopbackHost } from '../config/loopback.js';
import type { Config } from '../config/schema.js';
import { loadSystemId } from '../gitlab/system-id.js';
import { createDockerEngine } from '../machines/docker/docker-engine.js';
import type { Engine } from '../machines/engine.js';
import { toRules } from '../metrics/rules.js';
import type { Logger } from '../telemetry/logger.js';
import { createForeignMetrics } from '../telemetry/foreign-metrics.js';
import { createMachineCollector } from '../telemetry/machine-collector.js';
import { createWorkerMetrics } from '../telemetry/metrics.js';
import { splitAddress } from '../telemetry/listen.js';
import { startMetricsServer, type MetricsServerOptions } from '../telemetry/metrics-server.js';
import { VERSION } from '../version.js';
import { openStore } from '../store/open-store.js';
import { openGitlabEntries } from './gitlab/entries.js';
import { createGitlabIntake } from './gitlab/start-gitlab.js';
import { waitsForMachine } from './gitlab/start-workflow.js';
import { connectTemporal, untilTemporalAnswers } from './connect-temporal.js';
import { ANSWER_MS, refusesConnections, startContact } from './contact.js';
import { createWorkers } from './create-workers.js';
import { createEngineHealths } from './health/engine-healths.js';
import { fillUsage } from './fill-usage.js';
import { createHousekeeping } from './housekeeping.js';
import { hasEnded, ownIdentity } from './identity.js';
import { installRuntime } from './runtime.js';
import { loadOrCreateKeys } from './keys.js';
import { giveBackLostAttempts } from './lost-attempts.js';
import { createMetricsParts } from './metrics-parts.js';
import { startQueryCheck } from './query-check.js';
import { startPulse } from './pulse.js';
import { serveUntilStopped } from './serve.js';
import { createVersion } from './versioning/create-version.js';
import { createStopDeadline, STOP_MS } from './stop-deadline.js';
import { watchStopSignals, type StopSignals } from './stop-signal.js';
import { takeIn } from './take-in.js';
import { startTracing } from './tracing.js';
import { startWebPages } from './web.js';
import { startWhenFree } from './when-free.js';

/** How soon metrics are there again when the worker that served them at this address has ended: a scrape may be missing, no more. */
const METRICS_AGAIN_MS = 1_000;

/**
 * One worker process, from its configuration to its end. Returns when it has been told to stop and has, or when its time for that is
 * over (`STOP_MS`): whatever still hangs then ends with the process, so the caller is to exit.
 */
export async function runWorker(options: {
  config: Config;
  logger: Logger;
  /** Default: the signals of this process. */
  stop?: StopSignals;
  /** What an entry of `engines[]` is. Default: a Docker engine. */
  createEngine?: typeof createDockerEngine;
}): Promise<void> {
  const { config, logger, createEngine = createDockerEngine } = options;
  const ring = await loadOrCreateKeys(config, logger);
  const codec = createPayloadCodec(ring);
  const store = await openStore(config.store);
  const revision = buildRevision();
  const flags = toRules(config.metrics.rules).map(({ name }) => name);
  const metrics = createWorkerMetrics({ version: VERSION, revision }, flags);
  const handover = new AbortController();
  const pulse = startPulse();
  const identity = ownIdentity();
  const shared: SharedDeps = {
    store,
    plans: createPlanVault(store, ring),
    hub: createTraceHub(),
    logger,
    metrics,
    flight: createFlightLog(store, identity),
    lifecycle: {
      handover: handover.signal,
      pausedJustNow: (givenOutAtMs) => pulse.pausedJustNow(givenOutAtMs),
      cutOffSince: (atMs) => contact.brokenSince(atMs),
    },
  };
  const { prometheus, metricsDeps } = createMetricsParts(config, shared);
  // Before anything is open that a mistake in the configuration would have to close; the native runtime cannot be closed at all.
  const queryCheck = await startQueryCheck(
    config.metrics.enabled ? prometheus : undefined,
    metricsDeps.metricsSettings,
    logger,
  );
  const { otlp } = config.telemetry;
  const tracing = otlp === undefined ? undefined : await startTracing(otlp, { version: VERSION, revision });
  const runtime = await installRuntime(logger);
  const dataConverter = { payloadCodecs: [codec] };
  const temporal = await untilTemporalAnswers(() => connectTemporal(config, dataConverter), { logger });
  const { connection, clientConnection, client, installation } = temporal;
  const contact = startContact({
    ask: () => connection.withDeadline(Date.now() + ANSWER_MS, () => connection.workflowService.getSystemInfo({})),
    refuses: () => refusesConnections(splitAddress(config.temporal.address)),
  });
  const engines = new Map(
    config.engines.map((settings) => [settings.name, createEngine({ settings, installation, logger })] as const),
  );
  const collector = createMachineCollector({
    engines: [...engines.values()],
    metrics,
    logger,
    intervalMs: config.metrics.sampleInterval,
  });
  const housekeeping = createHousekeeping({
    engines: [...engines.values()],
    client,
    logger,
    metrics,
    sweepIntervalMs: config.worker.sweepInterval,
  });
  const version = await untilTemporalAnswers(() => createVersion({ config, client, logger }), { logger });
  const { codePath, deploymentOptions, kept } = version;
  const metricsServer: MetricsServerOptions = {
    listenAddress: config.metricsServer.listenAddress,
    metrics,
    collector,
    checks: {
      ...readinessChecks(engines, store, client),
      version: () => Promise.resolve().then(() => kept.assertSettled()),
    },
    extraMetrics: createForeignMetrics(runtime.metricsUrl),
    register: (app) => registerCodecRoutes(app, { codec, ...codecAccess(config) }),
  };
  const server = await startWhenFree({
    start: () => startMetricsServer(metricsServer),
    what: 'metrics',
    key: 'metricsServer.listenAddress',
    tryAgainMs: METRICS_AGAIN_MS,
    logger,
  });
  const web = await startWebPages({ config, client, codec, store, logger });
  const entries = openGitlabEntries(config.gitlab, { systemId: await loadSystemId(store), revision, metrics });
  const healths = createEngineHealths({ config, engines, shared });
  const gitlab = createGitlabIntake({ config, entries, client, engines, healths, store, ring, logger });
  const workers = await createWorkers({
    config,
    codePath,
    deploymentOptions,
    tracing,
    connection,
    client,
    engines,
    healths: healths.all,
    installation: installation.id,
    revision,
    shared,
    metricsDeps,
    entries,
    gitlab,
    housekeeping,
    dataConverter,
  });
  collector.start();
  housekeeping.start();
  const metricsUrl = server.address === undefined ? undefined : `http://${server.address}/metrics`;
  logger.info({ metrics: metricsUrl, engines: [...engines.keys()] }, 'Worker is running');
  void fillUsage(store, metricsDeps.usage, logger);

  const stop = options.stop ?? watchStopSignals();
  const deadline = createStopDeadline(logger);
  void stop.handover.then(() => deadline.begin());
  await deadline.bound(serve, close);

  async function serve(): Promise<void> {
    deadline.doing('the running work');
    await serveUntilStopped(workers, {
      stop,
      startSources() {
        kept.start();
        void giveBackLostAttempts({ client, hasEnded: (other) => hasEnded(other, identity), logger });
        return gitlab.start();
      },
      stopSources: (reason) => gitlab.stop(reason === 'drain' ? STOP_MS.drainedSources : STOP_MS.sources),
      takeIn: (signal) =>
        takeIn(
          {
            withoutMachine: () => gitlab.withoutMachine(),
            waits: (workflowId) => waitsForMachine(client, workflowId),
            openPool: (pool) => workers.openPool(pool),
            logger,
          },
          signal,
        ),
      async drained(signal) {
        await housekeeping.drain(signal);
        await gitlab.allTold(signal);
      },
      handOver() {
        handover.abort();
        deadline.begin();
      },
      logger,
    });
  }

  async function close(): Promise<void> {
    collector.stop();
    queryCheck.stop();
    const closings: [string, () => Promise<unknown> | undefined][] = [
      ['the version', () => kept.stop()],
      ['sweeps and warm sandboxes', () => housekeeping.stop()],
      ['the record of outages', () => healths.stop()],
      ['the job pages', () => web.close()],
      ['the metrics server', () => server.close()],
      ['Prometheus', () => prometheus?.close()],
      ['GitLab', () => entries.close()],
      ['Temporal (client)', () => clientConnection.close()],
      ['Temporal (worker)', () => connection.close()],
      ['tracing', () => tracing?.close()],
    ];
    pulse.stop();
    contact.stop();
    for (const [what, end] of closings) {
      deadline.doing(what);
      await end();
    }
  }
}

function readinessChecks(engines: ReadonlyMap<string, Engine>, store: SharedDeps['store'], client: Client) {
  return {
    temporal: async () => {
      await client.workflowService.getSystemInfo({});
    },
    store: () => store.probe(),
    ...Object.fromEntries(
      [...engines].map(([name, engine]) => [
        `engine ${name}`,
        async () => {
          await engine.ping({});
        },
      ]),
    ),
  };
}

function codecAccess({ codec, metricsServer }: Config) {
  return {
    allowedOrigins: codec.allowedOrigins,
    token: codec.tokenFile === undefined ? undefined : readFileSync(codec.tokenFile, 'utf8').trim(),
    trustsEveryone: codec.unprotected || isLoopbackHost(splitAddress(metricsServer.listenAddress).host),
  };
}
