import { startCoordinator, type TestCoordinator } from '../coordinator/coordinator.js';
import { startStack, type Stack } from '../stack.js';
import type { OwnEngine } from './own-engine.js';
import { startProxy, type Proxy } from './proxy.js';

/** What scenarios happen on: a stack, and the ways between its parts that may be broken. */
export interface Ground {
  stack: Stack;
  /** Where GitLab is configured. */
  gitlab?: GitlabSide;
  /** Where the engine is reached through a proxy. */
  engineLink?: Proxy;
  close(): Promise<void>;
}

export interface GitlabSide {
  coordinator: TestCoordinator;
  /** Every connection of the worker to it. */
  link: Proxy;
  /** Host and port as the worker knows it, for the workflow ids. */
  host: string;
}

export interface GroundOptions {
  /** A coordinator behind a proxy; `giveUpAfter` as in the configuration. */
  gitlab?: { giveUpAfter?: string };
  /** The engine behind a proxy. Default: none. */
  engineBehindProxy?: boolean;
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
    const path = options.docker?.socket ?? '/var/run/docker.sock';
    const engineLink = options.engineBehindProxy === true ? await startProxy({ path }) : undefined;
    if (engineLink !== undefined) closers.push(() => engineLink.close());
    const host = engineLink === undefined ? `unix://${path}` : `tcp://127.0.0.1:${String(engineLink.port)}`;
    const given = options.stack ?? {};
    const stack = await startStack({
      ...given,
      ...(options.docker === undefined ? {} : { docker: options.docker.docker }),
      engine: { docker: { host }, ...given.engine },
      top: {
        ...given.top,
        ...(gitlab === undefined ? {} : { gitlab: [entryOf(gitlab, options.gitlab?.giveUpAfter)] }),
      },
    });
    closers.push(() => stack.close());
    return {
      stack,
      ...(gitlab === undefined ? {} : { gitlab }),
      ...(engineLink === undefined ? {} : { engineLink }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startGitlabSide(closers: (() => Promise<void>)[]): Promise<GitlabSide> {
  const coordinator = await startCoordinator();
  closers.push(() => coordinator.close());
  const { hostname, port } = new URL(coordinator.url);
  const link = await startProxy({ host: hostname, port: Number(port) });
  closers.push(() => link.close());
  return { coordinator, link, host: `127.0.0.1:${String(link.port)}` };
}

function entryOf({ coordinator, host }: GitlabSide, giveUpAfter = '1h'): object {
  return { name: 'main', url: `http://${host}`, token: coordinator.runnerToken, giveUpAfter };
}
