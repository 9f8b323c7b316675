import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { docker, TEST_IMAGE } from './stack.js';

/** Repositories over HTTP with a password, by git's own server program, in reach of containers on the default bridge. */
export interface GitServer {
  /** `http://<address of this machine on the bridge>:<port>` */
  readonly url: string;
  /** Commit of the repository `group/project.git`. */
  readonly sha: string;
  /** Requests without the right password. */
  readonly refused: number;
  close(): Promise<void>;
}

export async function startGitServer(options: {
  username: string;
  password: string;
  files: Record<string, string>;
}): Promise<GitServer> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-git-server-'));
  const sha = makeRepository(root, options.files);
  const expected = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;
  let refused = 0;
  const server = createServer((request, response) => {
    if (request.headers.authorization === expected) return runBackend(root, request, response);
    refused += 1;
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return {
    url: `http://${addressOnBridge()}:${String((server.address() as AddressInfo).port)}`,
    sha,
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

function makeRepository(root: string, files: Record<string, string>): string {
  const work = join(root, 'work');
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  git('init', '--quiet', '--initial-branch=main', work);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(work, name), content);
  git('-C', work, 'add', '--all');
  git('-C', work, '-c', 'user.name=Test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--message=First');
  git('clone', '--quiet', '--bare', work, join(root, 'group/project.git'));
  return git('-C', work, 'rev-parse', 'HEAD');
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
