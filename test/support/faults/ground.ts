import { startCoordinator, type TestCoordinator } from '../coordinator/coordinator.js';
import { startStack, type Stack } from '../stack.js';
import type { OwnEngine } from './own-engine.js';
import { startProxy, type Proxy, type ProxyTarget } from './proxy.js';

/** What scenarios happen on: a stack, and the ways between its parts that may be broken. */
export interface Ground {
  stack: Stack;
  /** Where GitLab is configured. */
  gitlab?: GitlabSide;
  /** Where the engine is reached through a proxy. */
  engineLink?: Proxy;
  /** Where workers reach Temporal through a proxy. */
  temporalLink?: Proxy;
  close(): Promise<void>;
}

export interface GitlabSide {
  coordinator: TestCoordinator;
  /** Every connection of the worker to it. */
  link: Proxy;
  /** Host and port as the worker knows it, for the workflow ids. */
  host: string;
}

interface EntrySettings {
  giveUpAfter?: string;
  outputLimit?: string;
}

export interface GroundOptions {
  /** A coordinator behind a proxy; the settings as in the configuration. */
  gitlab?: EntrySettings;
  /** The engine behind a proxy. Default: none. */
  engineBehindProxy?: boolean;
  /** Temporal behind a proxy, for workers alone. Default: none. */
  temporalBehindProxy?: boolean;
  /** Default: the machine's own engine. */
  docker?: Pick<OwnEngine, 'socket' | 'docker'>;
  stack?: Parameters<typeof startStack>[0];
}

export async function startGround(options: GroundOptions = {}): Promise<Ground> {
  const closers: (() => Promise<void>)[] = [];
  async function close(): Promise<void> {
    for (const closer of closers.reverse()) await closer();
  }
  try {
    const gitlab = options.gitlab === undefined ? undefined : await startGitlabSide(closers);
    const { host, ...engine } = await wayToEngine(options, closers);
    const given = options.stack ?? {};
    const temporal = linkToTemporal(closers);
    const stack = await startStack({
      ...given,
      ...(options.temporalBehindProxy === true ? { wayToTemporal: temporal.way } : {}),
      ...(options.docker === undefined ? {} : { docker: options.docker.docker }),
      engine: { docker: { host }, ...given.engine },
      top: {
        ...given.top,
        ...(gitlab === undefined ? {} : { gitlab: [entryOf(gitlab, options.gitlab)] }),
      },
    });
    closers.push(() => stack.close());
    return {
      stack,
      ...(gitlab === undefined ? {} : { gitlab }),
      ...engine,
      ...temporal.link(),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function wayToEngine(
  { docker, engineBehindProxy }: GroundOptions,
  closers: (() => Promise<void>)[],
): Promise<{ host: string; engineLink?: Proxy }> {
  const path = docker?.socket ?? '/var/run/docker.sock';
  if (engineBehindProxy !== true) return { host: `unix://${path}` };
  const engineLink = await startProxy({ path });
  closers.push(() => engineLink.close());
  return { host: `tcp://127.0.0.1:${String(engineLink.port)}`, engineLink };
}

/** The stack chooses the address of its Temporal, so the way there is made when it is known. */
function linkToTemporal(closers: (() => Promise<void>)[]) {
  const made: Proxy[] = [];
  return {
    async way(target: ProxyTarget): Promise<string> {
      const link = await startProxy(target);
      made.push(link);
      closers.push(() => link.close());
      return `127.0.0.1:${String(link.port)}`;
    },
    link: (): { temporalLink?: Proxy } => (made[0] === undefined ? {} : { temporalLink: made[0] }),
  };
}

async function startGitlabSide(closers: (() => Promise<void>)[]): Promise<GitlabSide> {
  const coordinator = await startCoordinator();
  closers.push(() => coordinator.close());
  const { hostname, port } = new URL(coordinator.url);
  const link = await startProxy({ host: hostname, port: Number(port) });
  closers.push(() => link.close());
  return { coordinator, link, host: `127.0.0.1:${String(link.port)}` };
}

function entryOf({ coordinator, host }: GitlabSide, settings: EntrySettings = {}): object {
  return { name: 'main', url: `http://${host}`, token: coordinator.runnerToken, giveUpAfter: '1h', ...settings };
}
