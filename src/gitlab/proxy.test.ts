import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { server } from '../../test/support/stand-in-of-test.js';
import { createHttp, type Call, type HttpOptions } from './http.js';

const CALL: Call = { endpoint: 'request_job', method: 'POST', path: 'jobs/request', body: '{}', timeoutMs: 20_000 };

let pem: { cert: string; key: string };
beforeAll(() => {
  const where = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
  const [cert, key] = [join(where, 'cert.pem'), join(where, 'key.pem')];
  const subject = ['-subj', '/CN=gitlab.example', '-addext', 'subjectAltName=DNS:gitlab.example'];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...made, ...subject], { stdio: 'ignore' });
  pem = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  rmSync(where, { recursive: true });
});

async function listening(listener: Server): Promise<number> {
  const sockets = new Set<Socket>();
  listener.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return (listener.address() as AddressInfo).port;
}

/** A GitLab with TLS; it says whose certificate its clients show. */
async function gitlabWithTls(): Promise<number> {
  const listener = createTlsServer(
    { ...pem, requestCert: true, rejectUnauthorized: false, ca: pem.cert },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      request.resume().on('end', () => response.end(`${String(request.method)} of ${String(subject?.CN)}`));
    },
  );
  return await listening(listener);
}

/** A proxy behind which every name is one server: a request that names this server does not come past it. */
async function proxyTo(port: number, status = 200) {
  const seen: string[] = [];
  const listener = createServer((request, response) => {
    seen.push(`${String(request.method)} ${String(request.url)} ${String(request.headers['proxy-authorization'])}`);
    request.resume().on('end', () => response.writeHead(status).end('of the proxy'));
  });
  listener.on('connect', (request, socket: Socket) => {
    seen.push(`CONNECT ${String(request.url)} ${String(request.headers['proxy-authorization'])}`);
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${String(status)} No\r\n\r\n`);
      return;
    }
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward]) end.on('error', () => onward.destroy());
  });
  return { seen, url: `http://127.0.0.1:${String(await listening(listener))}` };
}

async function ask(options: HttpOptions, signal?: AbortSignal) {
  const http = createHttp(options);
  onTestFinished(() => http.close());
  const answer = await http.send({ ...CALL, signal });
  return answer.kind === 'answer' ? `${String(answer.status)} ${answer.body.toString()}` : answer.reason;
}

describe('through a proxy', () => {
  it('a GitLab with TLS is asked in a tunnel, with its own authority and the entry’s certificate', async () => {
    const proxy = await proxyTo(await gitlabWithTls());
    const proxies = { https: proxy.url };
    const url = 'https://gitlab.example';

    expect(await ask({ url, proxies, ca: pem.cert, ...pem })).toBe('200 POST of gitlab.example');
    expect(await ask({ url, proxies, ca: pem.cert })).toBe('200 POST of undefined');
    expect(proxy.seen).toEqual(Array(2).fill('CONNECT gitlab.example:443 undefined'));
  });

  it('no other server is taken for GitLab', async () => {
    const proxy = await proxyTo(await gitlabWithTls());
    const proxies = { https: proxy.url };

    expect(await ask({ url: 'https://gitlab.example', proxies })).toContain('SELF_SIGNED_CERT');
    expect(await ask({ url: 'https://another.example', proxies, ca: pem.cert })).toContain('does not match');
  });

  it('a GitLab without TLS is asked by its whole address, with the proxy’s password', async () => {
    const proxy = await proxyTo(0);
    const http = proxy.url.replace('://', '://user:p%40ss@');

    expect(await ask({ url: 'http://gitlab.example', proxies: { http } })).toBe('200 of the proxy');
    const password = Buffer.from('user:p@ss').toString('base64');
    expect(proxy.seen).toEqual([`POST http://gitlab.example/api/v4/jobs/request Basic ${password}`]);
  });

  it.each([
    ['a loopback address', undefined],
    ['a name that is excepted', '127.0.0.1'],
    ['any, when all are', '*'],
  ])('is not asked: %s', async (_name, except) => {
    const gitlab = await server(() => ({ status: 200, body: 'directly' }));
    const proxy = await proxyTo(0);
    const proxies = { http: proxy.url, https: proxy.url, ...(except === undefined ? {} : { except }) };

    expect(await ask({ url: gitlab.url, proxies })).toBe('200 directly');
    expect(proxy.seen).toEqual([]);
  });

  it('is not asked what it is not for', async () => {
    const proxy = await proxyTo(0);
    const elsewhere = { http: 'http://gitlab.invalid', https: 'https://gitlab.invalid' };

    await ask({ url: elsewhere.https, proxies: { http: proxy.url } });
    await ask({ url: elsewhere.http, proxies: { https: proxy.url } });
    await ask({ url: elsewhere.http, proxies: { http: proxy.url, except: 'invalid' } });

    expect(proxy.seen).toEqual([]);
  });

  it.each([407, 502])('that refuses (%i) GitLab is away', async (status) => {
    const proxy = await proxyTo(0, status);
    const proxies = { http: proxy.url, https: proxy.url };

    expect(await ask({ url: 'https://gitlab.example', proxies })).toContain(String(status));
    expect(await ask({ url: 'http://gitlab.example', proxies })).toContain(String(status));
  });

  it('a call that is no longer wanted ends at once', async () => {
    const listener = createServer();
    const silent = await listening(listener);
    const asked = new Promise((resolve) => listener.once('connection', resolve));
    const cut = new AbortController();
    const proxies = { https: (await proxyTo(silent)).url };
    const answer = ask({ url: 'https://gitlab.example', proxies }, cut.signal);
    await asked;
    cut.abort(new Error('stop'));

    await expect(answer).rejects.toThrow('stop');
  });
});
