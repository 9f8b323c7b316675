import type { RegistryCredential } from '../../contracts/job-spec.js';

export interface RegistryAuthSources {
  /** JSON text of the job's `DOCKER_AUTH_CONFIG`; outranks the payload's credentials. */
  dockerAuthConfig: string | undefined;
  credentials: RegistryCredential[];
}

export interface RegistryAuth {
  username: string;
  password: string;
  serveraddress: string;
}

/**
 * The credentials for an image: of all that fit, those of the longest registry path (gitlab-protocol section 5.7); of two for the
 * same path, `DOCKER_AUTH_CONFIG`'s.
 */
export function registryAuth(image: string, sources: RegistryAuthSources): RegistryAuth | undefined {
  const path = imagePath(image);
  const entries = [...parseAuthConfig(sources.dockerAuthConfig), ...sources.credentials];
  const fitting = entries
    .map((entry) => ({ entry, prefix: registryPath(entry.url) }))
    .filter(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
  const [best] = fitting.sort((a, b) => b.prefix.length - a.prefix.length);
  return best && { username: best.entry.username, password: best.entry.password, serveraddress: best.entry.url };
}

/** `debian` is `docker.io/library/debian`. */
function imagePath(image: string): string {
  const name = image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
  const [first = ''] = name.split('/');
  const hasRegistry = name.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  return hasRegistry ? name : `docker.io/${name.includes('/') ? name : `library/${name}`}`;
}

function registryPath(url: string): string {
  const path = url
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .replace(/\/v[12]$/, '');
  return path === 'index.docker.io' || path === 'registry-1.docker.io' ? 'docker.io' : path;
}

/** Unreadable entries are left out: the pull then says what is missing. */
function parseAuthConfig(text: string | undefined): RegistryCredential[] {
  if (text === undefined || text.trim() === '') return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return []; // not JSON: GitLab's executor ignores it too
  }
  const auths = field(parsed, 'auths');
  if (typeof auths !== 'object' || auths === null) return [];
  return Object.entries(auths).flatMap(([url, entry]) => {
    const auth = field(entry, 'auth');
    const [username, ...rest] =
      typeof auth === 'string'
        ? Buffer.from(auth, 'base64').toString('utf8').split(':')
        : [field(entry, 'username'), field(entry, 'password')];
    const password = rest.join(':');
    return typeof username === 'string' && username !== '' ? [{ url, username, password }] : [];
  });
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
