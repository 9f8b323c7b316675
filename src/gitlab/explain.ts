import type { VerifyOutcome } from './outcomes.js';

/** Past this GitLab's own time limits and tokens no longer fit ours. */
export const MAX_CLOCK_SKEW_MS = 60_000;

const DAY_MS = 86_400_000;

/**
 * What GitLab said of a runner token, for a person: what is wrong, and what to do.
 * @param options.renewed a worker renews the token before it expires
 */
export function explainVerify(
  url: string,
  outcome: VerifyOutcome,
  nowMs: number,
  options: { renewed?: boolean } = {},
): { ok: boolean; words: string; warnings: string[] } {
  switch (outcome.kind) {
    case 'valid':
      return { ok: true, words: validWords(outcome), warnings: warningsOf(outcome, nowMs, options.renewed === true) };
    case 'invalid':
      return { ok: false, words: invalidWords(url, outcome.reason, options.renewed === true), warnings: [] };
    case 'unavailable':
      return { ok: false, words: unavailableWords(url, outcome.reason), warnings: [] };
  }
}

type Valid = Extract<VerifyOutcome, { kind: 'valid' }>;

function validWords({ runnerId, expiresAt }: Valid): string {
  const runner = runnerId === null ? 'the token is valid' : `runner ${String(runnerId)}, the token is valid`;
  return expiresAt === null ? runner : `${runner} until ${expiresAt}`;
}

function warningsOf({ expiresAt, serverTimeMs }: Valid, nowMs: number, renewed: boolean): string[] {
  const warnings: string[] = [];
  const skewMs = serverTimeMs === undefined ? 0 : nowMs - serverTimeMs;
  if (Math.abs(skewMs) > MAX_CLOCK_SKEW_MS) {
    const seconds = String(Math.round(Math.abs(skewMs) / 1000));
    warnings.push(
      `this machine's clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} GitLab's: synchronise it (NTP)`,
    );
  }
  const leftMs = expiresAt === null ? Number.NaN : Date.parse(expiresAt) - nowMs;
  if (leftMs < EXPIRY_WARNING_MS && !renewed) warnings.push(explainExpiry(leftMs));
  return warnings;
}

/** A token's end is spoken of for so long before it comes. */
export const EXPIRY_WARNING_MS = 7 * DAY_MS;

/** Of a token that nobody renews. */
export function explainExpiry(leftMs: number): string {
  const when =
    leftMs <= 0
      ? 'has expired'
      : leftMs < DAY_MS
        ? 'expires within a day'
        : `expires within ${String(Math.ceil(leftMs / DAY_MS))} days`;
  return `the token ${when}, and Holdfast cannot renew it: it renews one that lies in a tokenFile of its own (renewToken); otherwise reset it in GitLab and put the new one in its place`;
}

/** Of a token that is renewed here: GitLab makes the old one invalid with its answer, and gives that answer once. */
export const LOST_TOKEN =
  'If GitLab has just renewed it, the answer with the new one is lost and cannot be asked for again: reset the token (POST /runners/<id>/reset_authentication_token with a personal access token) or create another runner, and put the new token into the tokenFile; running jobs go on, and no worker needs a restart';

function invalidWords(url: string, reason: string, renewed: boolean): string {
  if (reason.includes('401')) {
    return `${url} wants another login before its API (${reason}): is there a proxy in front of it, or is it not GitLab?`;
  }
  if (renewed)
    return `${url} does not know this runner token (${reason}): is it the one that begins with "glrt-"? ${LOST_TOKEN}`;
  return `${url} does not know this runner token (${reason}): create a runner in GitLab (Settings, CI/CD, Runners) and use the token that begins with "glrt-"; a registration token is no runner token`;
}

const TLS =
  /certificate|self.signed|UNABLE_TO_VERIFY|DEPTH_ZERO|ERR_TLS|ERR_SSL|SSL routines|altname|issuer|wrong version number/i;

function unavailableWords(url: string, reason: string): string {
  if (TLS.test(reason)) {
    return `${url} cannot be trusted (${reason}): name the PEM file of its authority with "ca", check the host name, and that the port speaks TLS`;
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) return `${url} cannot be reached (${reason}): is the host name right?`;
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|TIMEOUT|no answer|ECONNRESET|other side closed/i.test(reason)) {
    return `${url} cannot be reached (${reason}): is it running, and is the port open from here?`;
  }
  if (/status 404/.test(reason)) return `${url} has no GitLab API (${reason}): the URL is that of GitLab's start page`;
  return `${url} did not answer as GitLab does (${reason}): try again, or look at its log`;
}
