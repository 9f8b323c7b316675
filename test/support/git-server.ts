import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { docker, TEST_IMAGE } from './docker.js';

/** Repositories over HTTP with a password, by git's own server program, in reach of containers on the default bridge. */
export interface GitServer {
  /** `http://<address of this machine on the bridge>:<port>` */
  readonly url: string;
  /** Commit of the repository `group/project.git`. */
  readonly sha: string;
  /** Requests without the right password. */
  readonly refused: number;
  /** Large files that were handed out, by the part of their content that is their name here. */
  readonly largeFiles: string[];
  close(): Promise<void>;
}

export interface Repository {
  files: Record<string, string>;
  /** Files that are in LFS, with their content. */
  largeFiles?: Record<string, string>;
  /** By path: another repository of the server, which must stand before this one, and the URL under which it is named. */
  submodules?: Record<string, { of: string; url: string }>;
  /** Further commits before the last one. */
  earlierCommits?: number;
}

/** @param options.repositories by name, besides `group/project.git` made of `files`, which comes last */
export async function startGitServer(options: {
  username: string;
  password: string;
  files?: Record<string, string>;
  repositories?: Record<string, Repository>;
}): Promise<GitServer> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-git-server-'));
  const repositories: [string, Repository][] = Object.entries({
    ...options.repositories,
    ...(options.files === undefined ? {} : { 'group/project.git': { files: options.files } }),
  });
  let sha = '';
  for (const [name, repository] of repositories) sha = makeRepository(root, name, repository);
  const large = new Map(
    repositories.flatMap(([, { largeFiles = {} }]) =>
      Object.values(largeFiles).map((content) => [oidOf(content), content] as const),
    ),
  );
  const handedOut: string[] = [];
  const expected = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;
  let refused = 0;
  const server = createServer((request, response) => {
    if (request.headers.authorization === expected) {
      if (request.url?.endsWith('/info/lfs/objects/batch') === true) return void lfsBatch(request, response);
      const oid = /^\/lfs\/([0-9a-f]{64})$/.exec(request.url ?? '')?.[1];
      if (oid !== undefined) {
        handedOut.push(large.get(oid) ?? '');
        return void response.writeHead(large.has(oid) ? 200 : 404).end(large.get(oid));
      }
      return runBackend(root, request, response);
    }
    refused += 1;
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const address = `http://${addressOnBridge()}:${String((server.address() as AddressInfo).port)}`;

  /** LFS's batch API, the half for downloads. */
  async function lfsBatch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { objects } = JSON.parse(await text(request)) as { objects: { oid: string; size: number }[] };
    const answer = objects.map(({ oid, size }) => ({
      oid,
      size,
      authenticated: true,
      actions: { download: { href: `${address}/lfs/${oid}`, header: { Authorization: expected } } },
    }));
    response.writeHead(200, { 'Content-Type': 'application/vnd.git-lfs+json' });
    response.end(JSON.stringify({ transfer: 'basic', objects: answer }));
  }

  return {
    url: address,
    sha,
    largeFiles: handedOut,
    get refused() {
      return refused;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(root, { recursive: true });
    },
  };
}

/**
 * As a container sees it. This machine's own view is no help: Node leaves out a bridge to which no container is
 * attached at the moment, and an engine that has just started may not name its gateway.
 */
function addressOnBridge(): string {
  const routes = docker('run', '--rm', TEST_IMAGE, 'busybox', 'ip', 'route').join('\n');
  const gateway = /^default via (\S+)/m.exec(routes)?.[1];
  if (gateway === undefined) throw new Error(`A container on the default bridge has no way out: ${routes}`);
  return gateway;
}

/** @returns its last commit */
function makeRepository(root: string, name: string, repository: Repository): string {
  const work = mkdtempSync(join(root, 'work-'));
  // Pointers stay pointers, also where this machine has LFS.
  const env = { ...process.env, GIT_LFS_SKIP_SMUDGE: '1' };
  const git = (...args: string[]) => execFileSync('git', ['-C', work, ...args], { encoding: 'utf8', env }).trim();
  const commit = (message: string) =>
    git(
      '-c',
      'user.name=Test',
      '-c',
      'user.email=test@example.com',
      'commit',
      '--quiet',
      '--allow-empty',
      '-m',
      message,
    );
  git('init', '--quiet', '--initial-branch=main');
  for (let count = 0; count < (repository.earlierCommits ?? 0); count++) commit(`Earlier ${String(count)}`);
  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(work, path)), { recursive: true });
    writeFileSync(join(work, path), content);
  };
  for (const [path, content] of Object.entries(repository.files)) write(path, content);
  const large = Object.entries(repository.largeFiles ?? {});
  for (const [path, content] of large) write(path, pointerTo(content));
  git('add', '--all');
  // After that: a machine with LFS would take the pointers for contents.
  if (large.length > 0) {
    write('.gitattributes', large.map(([path]) => `${path} filter=lfs diff=lfs merge=lfs -text\n`).join(''));
    git('add', '.gitattributes');
  }
  for (const [path, { of, url }] of Object.entries(repository.submodules ?? {})) {
    git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', '--name', path, join(root, of), path);
    git('config', '--file', '.gitmodules', `submodule.${path}.url`, url);
    git('add', '.gitmodules');
  }
  commit('Last');
  execFileSync('git', ['clone', '--quiet', '--bare', work, join(root, name)]);
  return git('rev-parse', 'HEAD');
}

function oidOf(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

function pointerTo(content: string): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oidOf(content)}\nsize ${String(Buffer.byteLength(content))}\n`;
}

/** A CGI program: headers, an empty line, the body. */
function runBackend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://git');
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
      REMOTE_USER: 'ci',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(backend.stdin);
  const chunks: Buffer[] = [];
  backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  backend.once('close', () => {
    const all = Buffer.concat(chunks);
    const end = all.indexOf('\r\n\r\n');
    const headers = new Map(
      all
        .subarray(0, Math.max(0, end))
        .toString('latin1')
        .split('\r\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const),
    );
    const status = Number(headers.get('Status')?.split(' ')[0] ?? (end === -1 ? 500 : 200));
    headers.delete('Status');
    response.writeHead(status, Object.fromEntries(headers)).end(all.subarray(end + 4));
  });
}
