import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isLoopbackHost } from '../config/loopback.js';
import { splitAddress } from '../telemetry/listen.js';
import { html } from './html.js';
import type { PageParts, RenderPage } from './layout.js';
import { messagePage } from './pages/message.js';

const HTML = 'text/html; charset=utf-8';
const COOKIE = 'holdfast';
const COOKIE_SECONDS = 30 * 24 * 3600;
/** Guessing is to be slow. */
const WRONG_TOKEN_DELAY_MS = 500;

export interface AccessOptions {
  listenAddress: string;
  /** Absent: whoever reaches the address reads the pages. */
  token: string | undefined;
  render: RenderPage;
}

/**
 * Who may read. With a token: whoever gave it, by the form or as `Authorization: Bearer`. Without (loopback only): requests that
 * name this machine, so that a page of some other site, whose name was made to resolve to 127.0.0.1, reads nothing.
 */
export function registerAccess(app: FastifyInstance, { listenAddress, token, render }: AccessOptions): void {
  if (token === undefined) {
    const { host } = splitAddress(listenAddress);
    app.addHook('onRequest', async (request, reply) => {
      if (isLoopbackHost(request.hostname) || request.hostname === host) return;
      const text =
        'These pages answer only by the name of this machine. Behind a proxy, give the worker a web.tokenFile.';
      return await reply
        .code(421)
        .type(HTML)
        .send(render(messagePage('Not by this name', text)));
    });
    return;
  }
  const session = createHmac('sha256', token).update('holdfast web session').digest('hex');
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 4096 },
    (_request, body, done) => done(null, body),
  );
  app.addHook('onRequest', async (request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    if (path === '/login' || path.startsWith('/assets/') || isKnown(request)) return;
    if (path.startsWith('/data/')) return await reply.code(401).send({ message: 'Give the token at /login first' });
    const next = request.method === 'GET' ? `?next=${encodeURIComponent(request.url)}` : '';
    return await reply.redirect(`/login${next}`, 303);
  });
  app.get<{ Querystring: { next?: string } }>('/login', (request, reply) =>
    reply.type(HTML).send(render(loginPage(request.query.next, false))),
  );
  app.post<{ Body: string; Querystring: { next?: string } }>('/login', async (request, reply) => {
    const given = new URLSearchParams(request.body).get('token') ?? '';
    if (!same(given.trim(), token)) {
      await delay(WRONG_TOKEN_DELAY_MS);
      return await reply
        .code(401)
        .type(HTML)
        .send(render(loginPage(request.query.next, true)));
    }
    const cookie = `${COOKIE}=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${String(COOKIE_SECONDS)}`;
    return await reply.header('set-cookie', cookie).redirect(ownPath(request.query.next), 303);
  });

  function isKnown({ headers }: FastifyRequest): boolean {
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined && token !== undefined) return same(bearer.trim(), token);
    const cookies = (headers.cookie ?? '').split(/;\s*/);
    return cookies.some((cookie) => cookie.startsWith(`${COOKIE}=`) && same(cookie.slice(COOKIE.length + 1), session));
  }
}

function same(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** Never to another site: `//host` and `/\host` would be one. */
function ownPath(next: string | undefined): string {
  return next !== undefined && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) ? next : '/';
}

function loginPage(next: string | undefined, wrong: boolean): PageParts {
  const action = `/login${next === undefined ? '' : `?next=${encodeURIComponent(next)}`}`;
  return {
    title: 'Sign in',
    main: html`<h1>Sign in</h1>
      <p>The operator of this Holdfast knows the token; it is in the file that <code>web.tokenFile</code> names.</p>
      ${wrong && html`<p class="error" role="alert">This is not the token.</p>`}
      <form class="login" method="post" action="${action}">
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus />
        <button>Sign in</button>
      </form>`,
  };
}
