import type { RegistryCredential } from '../../contracts/job-spec.js';
import { registriesOf } from '../../job/docker-auth-config.js';

export interface RegistryAuthSources {
  /** JSON text of the job's `DOCKER_AUTH_CONFIG`; outranks the payload's credentials. */
  dockerAuthConfig: string | undefined;
  credentials: RegistryCredential[];
}

export interface RegistryAuth {
  username: string;
  password: string;
  serveraddress: string;
  /** In place of the password, where the registry gave one. */
  identitytoken?: string;
}

/**
 * The credentials for an image: of all that fit, those of the longest registry path (gitlab-protocol section 5.7); of two for the
 * same path, `DOCKER_AUTH_CONFIG`'s.
 */
export function registryAuth(image: string, sources: RegistryAuthSources): RegistryAuth | undefined {
  const path = imagePath(image);
  const entries = [...registriesOf(sources.dockerAuthConfig), ...sources.credentials];
  const fitting = entries
    .map((entry) => ({ entry, prefix: registryPath(entry.url) }))
    .filter(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
  const [best] = fitting.sort((a, b) => b.prefix.length - a.prefix.length);
  if (best === undefined) return undefined;
  const { username, password, identityToken, url } = best.entry;
  return {
    username,
    password,
    serveraddress: url,
    ...(identityToken === undefined ? {} : { identitytoken: identityToken }),
  };
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
