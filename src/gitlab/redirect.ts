/** GitLab sends to its object storage, which may send to one of its regions. */
export const MAX_REDIRECTS = 5;

/**
 * Where an answer sends a request.
 * @param location of the answer, as it came
 * @returns undefined when it is no address of the web
 */
export function redirectTarget(location: string | undefined, at: URL): URL | undefined {
  if (location === undefined || !URL.canParse(location, at.href)) return undefined;
  const target = new URL(location, at);
  return ['http:', 'https:'].includes(target.protocol) ? target : undefined;
}

/**
 * Whether a token that is for GitLab may go there: the same server, or the same name with TLS where it was without. Everywhere else
 * it is nobody's business, and object storage refuses what carries one.
 */
export function isSameServer(target: URL, home: URL): boolean {
  if (target.origin === home.origin) return true;
  const upgraded = home.protocol === 'http:' && target.protocol === 'https:';
  return upgraded && target.hostname === home.hostname && home.port === '' && target.port === '';
}
