import type { Config } from '../config/schema.js';
import { UsageError } from '../cli/exit-codes.js';
import { freePort, isPortFree } from '../telemetry/free-port.js';

/** Where the parts of a stack listen, all on loopback. */
export interface Ports {
  temporal: number;
  ui: number;
  prometheus: number;
  metrics: number;
  web: number;
}

const NAMES: Record<keyof Ports, string> = {
  temporal: 'Temporal',
  ui: 'the Temporal UI',
  prometheus: 'Prometheus',
  metrics: "the worker's metrics",
  web: 'the job pages',
};

/**
 * `auto`: any free ports; a number: that one and those after it, which must be free; else those of the configuration, with
 * others in place of those that are taken.
 * @throws UsageError naming each port that was asked for and is taken
 */
export async function choosePorts(options: {
  ports: string | undefined;
  config: Config;
  say: (text: string) => void;
}): Promise<Ports> {
  const { ports, config, say } = options;
  if (ports === 'auto')
    return await each({ temporal: 0, ui: 0, prometheus: 0, metrics: 0, web: 0 }, (port, _, others) =>
      usablePort(port, others),
    );
  if (ports !== undefined) return await rowOf(ports);
  return await each(usualPorts(config), async (wanted, name, others) => {
    const port = await usablePort(wanted, others);
    if (port !== wanted)
      say(
        `Port ${String(wanted)} is taken, so ${NAMES[name]} is on ${String(port)} (--ports 17233 takes a row of your own)`,
      );
    return port;
  });
}

async function rowOf(ports: string): Promise<Ports> {
  const base = Number(ports);
  if (!/^\d{1,5}$/.test(ports) || base < 1 || base > 65_530)
    throw new UsageError(`--ports "${ports}" is neither "auto" nor a port number from 1 to 65530`);
  const wanted = { temporal: base, ui: base + 1, prometheus: base + 2, metrics: base + 3, web: base + 4 };
  const taken: string[] = [];
  await each(wanted, async (port, name) => {
    if (!(await isPortFree(port))) taken.push(`${String(port)} (for ${NAMES[name]})`);
    return port;
  });
  if (taken.length > 0)
    throw new UsageError(`--ports ${ports}: taken are ${taken.join(', ')}. Choose another first port, or "auto"`);
  return wanted;
}

/** The tools' usual ones, unless the configuration names others on this machine. */
function usualPorts(config: Config): Ports {
  const temporal = portOf(config.temporal.address);
  const { prometheusUrl } = config.metrics;
  return {
    temporal,
    ui: temporal + 1000 < 65_536 ? temporal + 1000 : 8233,
    prometheus: prometheusUrl === undefined ? 9090 : Number(new URL(prometheusUrl).port || 9090),
    metrics: portOf(config.metricsServer.listenAddress),
    web: portOf(config.web.listenAddress),
  };
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** @param choose `others`: those that were chosen before, for two must not get the same one */
async function each(
  ports: Ports,
  choose: (port: number, name: keyof Ports, others: ReadonlySet<number>) => Promise<number>,
): Promise<Ports> {
  const chosen = { ...ports };
  const others = new Set<number>();
  for (const name of Object.keys(ports) as (keyof Ports)[]) {
    chosen[name] = await choose(ports[name], name, others);
    others.add(chosen[name]);
  }
  return chosen;
}

/** The port asked for when it is free, else any free one. */
async function usablePort(wanted: number, others: ReadonlySet<number>): Promise<number> {
  const isUsable = wanted !== 0 && !others.has(wanted) && (await isPortFree(wanted));
  return isUsable ? wanted : await freePort(others);
}
