import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { PullPolicy } from '../../contracts/job-spec.js';
import { MachineError, type MachineErrorCode } from '../engine.js';
import { registryAuth, type RegistryAuthSources } from './registry-auth.js';
import { isNotFound, messageOf, statusOf } from './errors.js';
import { answered } from './inspect.js';

export interface ImageFacts {
  name: string;
  id: string;
  digest?: string;
}

export interface ImageRequest {
  name: string;
  /** Tried in order; the first that succeeds decides. */
  policies: PullPolicy[];
  platform?: string;
  auth: RegistryAuthSources;
  signal: AbortSignal;
  /** One line for the trace. */
  note(line: string): void;
  /** Between two tries. */
  pauseMs?: () => number;
}

/** Only for failures that may pass: the network's, and a registry that is busy. */
const PULL_ATTEMPTS = 3;

/** gitlab-protocol section 5.7: 2 to 10 s, so that not all jobs come back at once. */
function jitteredPauseMs(): number {
  return 2_000 + Math.random() * 8_000;
}

/**
 * @throws MachineError IMAGE_NOT_AVAILABLE, IMAGE_PULL_FAILED or REGISTRY_UNREACHABLE: the last policy's failure; or what the client says of
 *   an engine that cannot be reached
 */
export async function ensureImage(docker: Docker, request: ImageRequest): Promise<ImageFacts> {
  if (!isPlainName(request.name)) throw failed('IMAGE_NOT_AVAILABLE', `"${request.name}" is no name of an image`);
  let failure: MachineError | undefined;
  for (const policy of request.policies) {
    request.note(`Using effective pull policy of [${policy}] for container ${request.name}`);
    try {
      return await ensureByPolicy(docker, request, policy);
    } catch (error) {
      if (!(error instanceof MachineError)) throw error;
      request.note(`WARNING: Failed to pull image with policy "${policy}": ${error.message}`);
      failure = error;
    }
  }
  throw failure ?? new MachineError('NOT_ALLOWED', `No pull policy is left for ${request.name}`, { retryable: false });
}

/** Names become part of an address at the engine; what else is wrong with one the engine tells. */
export function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9._/:@+[\]-]+$/.test(name) && name.split('/').every((part) => !/^\.*$/.test(part));
}

async function ensureByPolicy(docker: Docker, request: ImageRequest, policy: PullPolicy): Promise<ImageFacts> {
  if (policy !== 'always') {
    const local = await findLocal(docker, request.name);
    if (local !== undefined) return local;
  }
  if (policy === 'never') {
    throw failed(
      'IMAGE_NOT_AVAILABLE',
      `Image ${request.name} is not on the engine, and policy "never" forbids to pull it`,
    );
  }
  await pullWithRetry(docker, request);
  const pulled = await findLocal(docker, request.name);
  if (pulled === undefined)
    throw failed('IMAGE_PULL_FAILED', `Image ${request.name} was pulled but is not on the engine`);
  return pulled;
}

async function findLocal(docker: Docker, name: string): Promise<ImageFacts | undefined> {
  try {
    const info = await docker.getImage(name).inspect();
    const digest = digestOf(info.RepoDigests, name);
    return { name, id: info.Id, ...(digest === undefined ? {} : { digest }) };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** One image may have come from several registries: what it is called by is the one that was asked for, where the engine knows it. */
export function digestOf(repoDigests: readonly string[], name: string): string | undefined {
  const repository = name.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  return repoDigests.find((digest) => digest.startsWith(`${repository}@`)) ?? repoDigests[0];
}

async function pullWithRetry(docker: Docker, request: ImageRequest): Promise<void> {
  request.note(`Pulling docker image ${request.name} ...`);
  for (let attempt = 1; ; attempt++) {
    request.signal.throwIfAborted();
    try {
      await pull(docker, request);
      return;
    } catch (error) {
      request.signal.throwIfAborted();
      const told = statusOf(error) !== undefined || error instanceof PullBrokeOff;
      const known = told ? classifyPull(request.name, error) : await cutOff(docker, request.name, error);
      if (attempt >= PULL_ATTEMPTS || !mayPass(known, error)) throw known;
      await delay((request.pauseMs ?? jitteredPauseMs)(), undefined, { signal: request.signal });
    }
  }
}

/**
 * The pull has come to no end: of the registry, from which nothing more came, or of the engine.
 * @throws what was thrown, where the engine itself is gone
 */
async function cutOff(docker: Docker, name: string, cause: unknown): Promise<MachineError> {
  try {
    await answered(() => docker.ping() as Promise<unknown>);
  } catch {
    throw cause;
  }
  const message = `Failed to pull image "${name}": it came to no end (${messageOf(cause)})`;
  return failed('REGISTRY_UNREACHABLE', message, cause);
}

async function pull(docker: Docker, request: ImageRequest): Promise<void> {
  const auth = registryAuth(request.name, request.auth);
  const stream = await docker.pull(withTag(request.name), {
    ...(auth === undefined ? {} : { authconfig: auth }),
    ...(request.platform === undefined ? {} : { platform: request.platform }),
    abortSignal: request.signal,
  });
  const told = await new Promise<Progress[]>((resolve, reject) => {
    docker.modem.followProgress(stream, (error, output: Progress[]) => {
      if (error === null) resolve(output);
      else reject(error);
    });
  });
  const failure = told.find(({ error }) => error !== undefined)?.error;
  if (failure !== undefined) throw new PullBrokeOff(failure);
}

/** One line of a pull that is under way: the engine has answered already, so this is how it tells of a failure. */
interface Progress {
  error?: string;
}

class PullBrokeOff extends Error {
  override name = 'PullBrokeOff';
}

/** Without a tag Docker would pull all of them. */
function withTag(name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1);
  return last.includes(':') || name.includes('@') ? name : `${name}:latest`;
}

const NOT_AVAILABLE =
  /denied|unauthorized|not found|manifest unknown|no basic auth|does not exist|invalid reference|forbidden|authentication required/i;
/** gitlab-protocol section 3.5; and a registry's own 5xx, which is as far from the user. */
const NETWORK_LIKE =
  /\bdial |connection refused|reset by peer|no such host|i\/o timeout|TLS handshake|request canceled|\bEOF\b|timeout|network is unreachable|HTTP status: 5\d\d|temporary failure/i;
/** Of the engine itself, wherever the image comes from. */
const ENGINES = /no space left on device|read-only file system|input\/output error/i;
const BUSY = /toomanyrequests|too many requests|rate limit/i;

function mayPass(failure: MachineError, error: unknown): boolean {
  return failure.code === 'REGISTRY_UNREACHABLE' || BUSY.test(messageOf(error));
}

/** Who must act: the user (a wrong name, no leave), the registry, or nobody knows. */
export function classifyPull(name: string, error: unknown): MachineError {
  const text = messageOf(error);
  const message = `Failed to pull image "${name}": ${text}`;
  // What the user has named may read like anything.
  const said = text.replaceAll(name, 'image').replaceAll(name.replace(/[:@].*$/, ''), 'image');
  if (ENGINES.test(said)) return engineFault(message, error);
  if (BUSY.test(said)) return failed('IMAGE_PULL_FAILED', message, error);
  if (NETWORK_LIKE.test(said)) return failed('REGISTRY_UNREACHABLE', message, error);
  if (statusOf(error) === 404 || NOT_AVAILABLE.test(said)) return failed('IMAGE_NOT_AVAILABLE', message, error);
  return failed('IMAGE_PULL_FAILED', message, error);
}

/** It may pass, as where containers are made; until then another engine may serve the job. */
function engineFault(message: string, cause: unknown): MachineError {
  return new MachineError('ENGINE_FAULT', message, { retryable: true, traceMessage: message, cause });
}

function failed(code: MachineErrorCode, message: string, cause?: unknown): MachineError {
  return new MachineError(code, message, { retryable: false, traceMessage: message, cause });
}
