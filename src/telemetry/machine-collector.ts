import type { Engine, MachineSample } from '../machines/engine.js';
import { LATEST_SCRAPE_MS } from '../metrics/latest-scrape.js';
import type { Logger } from './logger.js';
import { advance, type Counters, type Tally } from './machine-counters.js';
import { createMachineMetrics } from './machine-metrics.js';
import type { WorkerMetrics } from './metrics.js';

/** An engine that does not answer must not stop the sampling of the others. */
const SAMPLE_TIMEOUT_MS = 10_000;
export interface LiveMachine {
  machine: string;
  engine: string;
  /** Workflow id. */
  job: string;
}

/** Samples the machines of this worker's engines and serves them with a label `machine`. */
export interface MachineCollector {
  /** Samples at once, then at every interval. */
  start(): void;
  stop(): void;
  /** For a scrape: samples now if the last time is longer ago than half an interval. Never throws, waits no longer than it may. */
  freshen(patienceMs: number): Promise<void>;
  /** The machines that are served: those of each engine's last sample, and those that have gone, while a last scrape of theirs may come. */
  live(): LiveMachine[];
  /** The metrics of one machine in Prometheus' text format; undefined when it is not served (any more). */
  textOf(machine: string): Promise<string | undefined>;
}

export interface MachineCollectorDeps {
  engines: readonly Engine[];
  metrics: WorkerMetrics;
  logger: Logger;
  intervalMs: number;
  /** Milliseconds; only differences count. Default: a clock that nobody sets. */
  now?: () => number;
  /** Unix milliseconds. */
  unixMs?: () => number;
}

interface Known extends LiveMachine {
  /** What Prometheus knows it by. */
  label: string;
  seenAtMs: number;
  served: boolean;
  tally: Tally;
}

interface EngineState {
  engine: Engine;
  /** When its last sample was taken; undefined: never yet. */
  sampledAtMs: number | undefined;
  /** When that sample was begun: a machine that it does not have was not there before. */
  lookedAtMs: number | undefined;
  failing: boolean;
}

export function createMachineCollector(deps: MachineCollectorDeps): MachineCollector {
  const { metrics, logger, intervalMs, now = () => performance.now(), unixMs = Date.now } = deps;
  const published = createMachineMetrics(metrics.registry);
  const states = deps.engines.map((engine): EngineState => ({
    engine,
    sampledAtMs: undefined,
    lookedAtMs: undefined,
    failing: false,
  }));
  const machines = new Map<string, Known>();
  const stopping = new AbortController();
  let sampling: Promise<void> | undefined;
  let sampledAtMs = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  for (const { engine } of states) metrics.capacity.set({ engine: engine.name }, engine.capacity);

  function publish({ engine, lookedAtMs }: EngineState, sample: MachineSample, atMs: number): void {
    const known = machines.get(sample.machine) ?? toKnown(engine, sample);
    const isNew = !machines.has(sample.machine);
    machines.set(sample.machine, known);
    // Counters that were not served begin anew.
    if (!known.served) published.begin(known.label, toUnixMs(isNew ? (lookedAtMs ?? atMs) : known.seenAtMs));
    Object.assign(known, { job: sample.job, seenAtMs: atMs, served: true });
    const used = advance(known.tally, sample);
    published.set(known.label, sample);
    // What a machine used before this worker came was another worker's to count: shown here it would look like work done
    // since that one's last scrape. From 0 Prometheus sees a restarted counter, and nothing else.
    published.add(known.label, isNew && lookedAtMs === undefined ? zeroed(used) : used);
  }

  function toUnixMs(atMs: number): number {
    return unixMs() - (now() - atMs);
  }

  async function sampleEngine(state: EngineState): Promise<void> {
    const { engine } = state;
    const lookedAtMs = now();
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(SAMPLE_TIMEOUT_MS)]);
    try {
      const samples = await orAborted(engine.sample({ signal }), signal);
      const atMs = now();
      for (const sample of samples) publish(state, sample, atMs);
      Object.assign(state, { sampledAtMs: atMs, lookedAtMs });
      const free = await orAborted(engine.freeSlots({ signal }), signal);
      metrics.machines.set({ engine: engine.name }, engine.capacity - free);
      if (state.failing) logger.info({ engine: engine.name }, 'The machines of an engine can be sampled again');
      state.failing = false;
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (!state.failing) {
        logger.warn({ engine: engine.name, error: String(error) }, 'The machines of an engine cannot be sampled');
      }
      state.failing = true;
    }
  }

  /** A machine of an engine that does not answer is no longer served, but not forgotten: it may still be there afterwards. */
  function forget(): void {
    const oldestMs = now() - LATEST_SCRAPE_MS;
    for (const [machine, known] of machines) {
      if (known.seenAtMs > oldestMs) continue;
      if (known.served) published.remove(known.label);
      known.served = false;
      if ((stateOf(known)?.sampledAtMs ?? 0) > known.seenAtMs) machines.delete(machine);
    }
  }

  function stateOf(known: Known): EngineState | undefined {
    return states.find(({ engine }) => engine.name === known.engine);
  }

  async function sampleAll(): Promise<void> {
    await Promise.all(states.map(sampleEngine));
    sampledAtMs = now();
    forget();
  }

  /** One at a time: who asks while a sample is being taken gets that one. */
  function sample(): Promise<void> {
    sampling ??= sampleAll().finally(() => {
      sampling = undefined;
      schedule();
    });
    return sampling;
  }

  function schedule(): void {
    clearTimeout(timer);
    if (!stopping.signal.aborted) timer = setTimeout(() => void sample(), intervalMs);
  }

  return {
    start: () => void sample(),
    stop() {
      stopping.abort();
      clearTimeout(timer);
    },
    async freshen(patienceMs) {
      if (stopping.signal.aborted || now() - sampledAtMs <= intervalMs / 2) return;
      const patience = AbortSignal.timeout(patienceMs);
      await orAborted(sample(), patience).catch(() => undefined); // the last values are served then
    },
    live: () =>
      [...machines.values()]
        .filter(({ served }) => served)
        .map(({ machine, engine, job }) => ({ machine, engine, job })),
    async textOf(machine) {
      const known = machines.get(machine);
      return known?.served === true ? await published.textOf(known.label) : undefined;
    },
  };
}

/** A label of another name belongs to another exporter (cAdvisor's, say); ours is then the machine's own name. */
function toKnown(engine: Engine, { machine, job }: MachineSample): Known {
  const { name, value } = engine.metricsLabel(machine);
  const label = name === 'machine' ? value : machine;
  return { machine, label, engine: engine.name, job, seenAtMs: 0, served: false, tally: new Map() };
}

function zeroed(used: Counters): Counters {
  return Object.fromEntries(Object.keys(used).map((field) => [field, 0]));
}

/** Whoever is called may not heed its signal. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw signal.reason as Error;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
