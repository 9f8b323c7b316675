import { createGlob } from './glob.js';

/**
 * Which files of a project a list of paths means (gitlab-protocol section 8.3): doublestar globs relative to the project; a
 * directory means everything in it.
 */
export interface Selection {
  /** Directories or files to read, relative to the project, so that not the whole project has to be. `''`: all of it. */
  roots: string[];
  matches(path: string): boolean;
  /** Paths outside of the project, which are refused. */
  refused: string[];
}

export function selectFiles(options: {
  paths: readonly string[];
  exclude: readonly string[];
  projectDirectory: string;
  /** Whether a file is one that git does not track; only where these are wanted, too. */
  untracked?: (path: string) => boolean;
}): Selection {
  const refused: string[] = [];
  const patterns = options.paths.flatMap((path) => {
    const relative = toRelative(path, options.projectDirectory);
    if (relative === undefined) refused.push(path);
    return relative === undefined ? [] : [relative];
  });
  const excluded = options.exclude.flatMap((path) => toRelative(path, options.projectDirectory) ?? []);
  const included = patterns.map(toMatcher);
  const isExcluded = excluded.map((pattern) => createGlob(pattern === '' ? '**' : pattern));
  return {
    // What is untracked may be anywhere.
    roots: withoutNested([...patterns.map(literalPrefix), ...(options.untracked === undefined ? [] : [''])]),
    matches: (path) =>
      (included.some((match) => match(path)) || options.untracked?.(path) === true) &&
      !isExcluded.some((match) => match(path)),
    refused,
  };
}

/** The pattern itself, or everything below what it matches. */
function toMatcher(pattern: string): (path: string) => boolean {
  if (pattern === '') return () => true;
  const isMatch = createGlob(pattern);
  return (path) => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (isMatch(path.slice(0, end))) return true;
    }
    return false;
  };
}

/** @returns undefined for a path outside of the project */
function toRelative(path: string, projectDirectory: string): string | undefined {
  let inner = path;
  if (path.startsWith('/')) {
    if (path !== projectDirectory && !path.startsWith(`${projectDirectory}/`)) return undefined;
    inner = path.slice(projectDirectory.length);
  }
  const segments: string[] = [];
  for (const segment of inner.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') segments.push(segment);
    else if (segments.pop() === undefined) return undefined;
  }
  return segments.join('/');
}

/** The directories before the first segment that holds a wildcard. */
export function literalPrefix(pattern: string): string {
  const segments = pattern.split('/');
  const wild = segments.findIndex((segment) => /[*?[\]{}()!+@\\]/.test(segment));
  return (wild === -1 ? segments : segments.slice(0, wild)).join('/');
}

function withoutNested(roots: string[]): string[] {
  const unique = [...new Set(roots)].sort();
  return unique.filter(
    (root) => !unique.some((other) => other !== root && (other === '' || root.startsWith(`${other}/`))),
  );
}
