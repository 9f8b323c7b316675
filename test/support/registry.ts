import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/**
 * A registry of images for tests: the pulling half of the distribution API (v2) on loopback, which Docker engines reach without TLS.
 * It serves one small image under any repository's name, made here.
 */
export interface TestRegistry {
  /** `127.0.0.1:<port>`, the first part of an image's name. */
  readonly host: string;
  /** Requests as they came: `GET /v2/app/manifests/1 user`. */
  readonly seen: string[];
  /** Answers the next manifest requests so, instead of with the manifest. */
  fail(answer: Failure): void;
  close(): Promise<void>;
}

export interface Failure {
  status: number;
  /** As registries say it: `TOOMANYREQUESTS`, … */
  code?: string;
  message?: string;
  times: number;
}

export interface RegistryOptions {
  /** Who may pull; absent: everybody. */
  auth?: { kind: 'basic' | 'token'; username: string; password: string };
  /** Repositories and tags that there are; absent: all. */
  images?: string[];
}

const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';
const REALM = 'holdfast test registry';

interface Answer {
  status: number;
  type?: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const image = makeImage();
  const failures: Failure[] = [];
  const seen: string[] = [];
  const tokens = new Set<string>();
  const server = createServer((request, response) => send(request, response, answer(request)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;

  function answer(request: IncomingMessage): Answer {
    const url = new URL(request.url ?? '/', `http://${host}`);
    seen.push(`${request.method ?? ''} ${url.pathname} ${userOf(request) ?? '-'}`);
    if (url.pathname === '/token') return token(request);
    if (!isAllowed(request)) return unauthorized(url);
    if (url.pathname === '/v2/') return { status: 200, body: '{}' };
    const [, name = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    if (kind === 'blobs') return blob(reference);
    if (kind === 'manifests') return manifest(name, reference);
    return problem(404, 'UNSUPPORTED', 'no such page');
  }

  function token(request: IncomingMessage): Answer {
    if (userOf(request) !== options.auth?.username || !isBasic(request))
      return problem(401, 'UNAUTHORIZED', 'incorrect username or password');
    const made = `token-${String(tokens.size)}`;
    tokens.add(made);
    return { status: 200, type: 'application/json', body: JSON.stringify({ token: made, access_token: made }) };
  }

  function isAllowed(request: IncomingMessage): boolean {
    if (options.auth === undefined) return true;
    if (options.auth.kind === 'basic') return isBasic(request);
    return tokens.has((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  }

  function isBasic({ headers }: IncomingMessage): boolean {
    const { username, password } = options.auth ?? { username: '', password: '' };
    return headers.authorization === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  function unauthorized(url: URL): Answer {
    const scope = `repository:${url.pathname.split('/').slice(2, -2).join('/')}:pull`;
    const challenge =
      options.auth?.kind === 'token'
        ? `Bearer realm="http://${host}/token",service="test",scope="${scope}"`
        : `Basic realm="${REALM}"`;
    return { ...problem(401, 'UNAUTHORIZED', 'authentication required'), headers: { 'Www-Authenticate': challenge } };
  }

  function manifest(name: string, reference: string): Answer {
    const failure = failures.find(({ times }) => times > 0);
    if (failure !== undefined) {
      failure.times -= 1;
      return problem(failure.status, failure.code ?? 'UNKNOWN', failure.message ?? 'as the test wants it');
    }
    const known = options.images?.includes(`${name}:${reference}`) ?? true;
    if (!known && reference !== image.manifestDigest) return problem(404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    return {
      status: 200,
      type: MANIFEST_TYPE,
      headers: { 'Docker-Content-Digest': image.manifestDigest },
      body: image.manifest,
    };
  }

  function blob(digest: string): Answer {
    const body = image.blobs.get(digest);
    return body === undefined ? problem(404, 'BLOB_UNKNOWN', 'blob unknown') : { status: 200, body };
  }

  return {
    host,
    seen,
    fail: (failure) => void failures.push({ ...failure }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      removeImages(host);
    },
  };
}

/** What an engine has pulled from here. */
export function removeImages(host: string): void {
  const names = execFileSync('docker', ['images', '--format', '{{.Repository}}:{{.Tag}}'], { encoding: 'utf8' })
    .split('\n')
    .filter((name) => name.startsWith(`${host}/`));
  if (names.length > 0) execFileSync('docker', ['rmi', '-f', ...names], { stdio: 'ignore' });
}

function problem(status: number, code: string, message: string): Answer {
  return { status, type: 'application/json', body: JSON.stringify({ errors: [{ code, message }] }) };
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, headers, body = '' }: Answer): void {
  response.writeHead(status, {
    'Content-Type': type ?? 'application/octet-stream',
    'Content-Length': String(Buffer.byteLength(body)),
    'Docker-Distribution-Api-Version': 'registry/2.0',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function userOf({ headers }: IncomingMessage): string | undefined {
  const [scheme, value = ''] = (headers.authorization ?? '').split(' ');
  return scheme === 'Basic' ? Buffer.from(value, 'base64').toString('utf8').split(':')[0] : undefined;
}

interface TestImage {
  manifest: string;
  manifestDigest: string;
  blobs: Map<string, Buffer>;
}

/** One layer: a static busybox and its applets as links. */
function makeImage(): TestImage {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-registry-'));
  const tar = `${root}.tar.gz`;
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(root, 'tmp'), { mode: 0o777 });
  execFileSync('cp', ['/bin/busybox', join(root, 'bin/busybox')]);
  for (const applet of ['sh', 'cat', 'echo', 'sleep', 'mkdir', 'rm', 'ls', 'env', 'true', 'false'])
    execFileSync('ln', ['-s', 'busybox', join(root, 'bin', applet)]);
  execFileSync('tar', ['-C', root, '--sort=name', '--mtime=@0', '-czf', tar, '.']);
  const layer = readFileSync(tar);
  rmSync(root, { recursive: true });
  rmSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [digestOf(gunzipSync(layer))] },
      history: [{ created: '2026-01-01T00:00:00Z', created_by: 'a test' }],
    }),
  );
  const describe = (mediaType: string, bytes: Buffer) => ({ mediaType, size: bytes.length, digest: digestOf(bytes) });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: describe('application/vnd.docker.container.image.v1+json', config),
    layers: [describe('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
  });
  return {
    manifest,
    manifestDigest: digestOf(Buffer.from(manifest)),
    blobs: new Map([config, layer].map((bytes) => [digestOf(bytes), bytes])),
  };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
