import type { RegistryCredential } from '../contracts/job-spec.js';

/** GitLab's own minimum for a masked variable: to hide a shorter text everywhere would make a log unreadable. */
const MIN_SECRET_CHARACTERS = 8;

/** The registries in a job's `DOCKER_AUTH_CONFIG`. Entries that cannot be read are left out: the pull then says what is missing. */
export function registriesOf(dockerAuthConfig: string | undefined): RegistryCredential[] {
  return entriesOf(dockerAuthConfig).flatMap(({ url, entry }) => {
    const { auth, username, password } = entry;
    const [user, ...rest] = typeof auth === 'string' && auth !== '' ? decoded(auth).split(':') : [username, password];
    const secret = rest.join(':');
    const token = entry['identitytoken'];
    if (typeof user !== 'string' || user === '') return [];
    return [
      {
        url,
        username: user,
        password: secret,
        ...(typeof token === 'string' && token !== '' ? { identityToken: token } : {}),
      },
    ];
  });
}

/** What of a `DOCKER_AUTH_CONFIG` a trace must not show: passwords and tokens, as they are and in the forms in which the text holds them. */
export function secretsOfDockerAuthConfig(dockerAuthConfig: string | undefined): string[] {
  const secrets = entriesOf(dockerAuthConfig).flatMap(({ entry }) => {
    const given = ['auth', 'password', 'identitytoken', 'registrytoken'].map((key) => entry[key]);
    const texts = given.filter((value) => typeof value === 'string');
    const [auth] = given;
    const password = typeof auth === 'string' ? decoded(auth).split(':').slice(1).join(':') : '';
    return [...texts, password].flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  });
  return [...new Set(secrets)].filter((secret) => secret.trim().length >= MIN_SECRET_CHARACTERS);
}

function entriesOf(text: string | undefined): { url: string; entry: Record<string, unknown> }[] {
  if (text === undefined || text.trim() === '') return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return []; // not JSON: GitLab's executor ignores it too
  }
  const auths = isObject(parsed) ? parsed['auths'] : undefined;
  if (!isObject(auths)) return [];
  return Object.entries(auths).flatMap(([url, entry]) => (isObject(entry) ? [{ url, entry }] : []));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Docker's own files end some in a null byte. */
function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8').replaceAll('\0', '');
}
