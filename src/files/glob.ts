/**
 * GitLab's globs of artifacts and caches (doublestar): `*` and `?` stop at a slash, a whole segment `**` does not, `[a-z]`, `[!a]`,
 * `{a,b}`, and a backslash makes the next character plain. The time is bounded by pattern times path: patterns and file names come
 * from jobs, and a matcher by regular expressions can be made to run for years.
 */
export function createGlob(pattern: string): (path: string) => boolean {
  const alternatives = expandBraces(pattern).map((text) => text.split('/').map(parseSegment));
  return (path) => {
    const segments = path.split('/').map((segment) => Array.from(segment));
    return alternatives.some((alternative) => matchSegments(alternative, segments));
  };
}

/** More than a person writes; what goes beyond is left as plain text. */
const MAX_ALTERNATIVES = 1_000;

type Token = '*' | '?' | { plain: string } | { ranges: [string, string][]; negated: boolean };
type Segment = '**' | Token[];

/** `a{b,c{d,e}}` → `ab`, `acd`, `ace` */
function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const open = [pattern];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const group = findGroup(next);
    if (group === undefined || done.length + open.length + group.parts.length > MAX_ALTERNATIVES) done.push(next);
    else for (const part of group.parts) open.push(next.slice(0, group.start) + part + next.slice(group.end));
  }
  return done;
}

/** The first whole `{…}`. */
function findGroup(text: string): { start: number; end: number; parts: string[] } | undefined {
  let start = -1;
  let depth = 0;
  let from = 0;
  let parts: string[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\') at += 1;
    else if (char === '{') {
      depth += 1;
      if (depth === 1) [start, from, parts] = [at, at + 1, []];
    } else if (char === ',' && depth === 1) {
      parts.push(text.slice(from, at));
      from = at + 1;
    } else if (char === '}' && depth > 0) {
      depth -= 1;
      if (depth === 0) return { start, end: at + 1, parts: [...parts, text.slice(from, at)] };
    }
  }
  return undefined;
}

function parseSegment(text: string): Segment {
  if (text === '**') return '**';
  const chars = Array.from(text);
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? '';
    const set = char === '[' ? parseClass(chars, at) : undefined;
    if (set !== undefined) {
      tokens.push(set.token);
      at = set.end;
    } else if (char === '\\' && at + 1 < chars.length) {
      at += 1;
      tokens.push({ plain: chars[at] ?? '' });
    } else if (char === '?') tokens.push('?');
    else if (char !== '*') tokens.push({ plain: char });
    else if (tokens.at(-1) !== '*') tokens.push('*');
  }
  return tokens;
}

/** @returns undefined for a bracket that is never closed: then it is plain text */
function parseClass(chars: string[], start: number): { token: Token; end: number } | undefined {
  const negated = chars[start + 1] === '!' || chars[start + 1] === '^';
  const first = start + (negated ? 2 : 1);
  const end = chars.indexOf(']', first + 1);
  if (end === -1) return undefined;
  const ranges: [string, string][] = [];
  for (let at = first; at < end; at++) {
    const low = chars[at] ?? '';
    const isRange = chars[at + 1] === '-' && at + 2 < end;
    ranges.push([low, isRange ? (chars[at + 2] ?? low) : low]);
    if (isRange) at += 2;
  }
  return { token: { ranges, negated }, end };
}

/** From the back: whether what is left of the pattern matches what is left of the path. */
function matchSegments(pattern: Segment[], path: string[][]): boolean {
  let rest = path.map(() => false).concat(true);
  for (const segment of [...pattern].reverse()) {
    const next: boolean[] = Array.from({ length: path.length + 1 }, () => false);
    for (let at = path.length; at >= 0; at--) {
      if (segment === '**') next[at] = (rest[at] ?? false) || (next[at + 1] ?? false);
      else next[at] = at < path.length && (rest[at + 1] ?? false) && matchSegment(segment, path[at] ?? []);
    }
    rest = next;
  }
  return rest[0] ?? false;
}

/** After a star that took too little only the last one need be tried again. */
function matchSegment(tokens: Token[], text: string[]): boolean {
  let token = 0;
  let at = 0;
  let star: { token: number; at: number } | undefined;
  while (at < text.length) {
    const wanted = tokens[token];
    if (wanted === '*') star = { token: token++, at };
    else if (wanted !== undefined && matchOne(wanted, text[at] ?? '')) {
      token += 1;
      at += 1;
    } else if (star === undefined) return false;
    else {
      star.at += 1;
      at = star.at;
      token = star.token + 1;
    }
  }
  while (tokens[token] === '*') token += 1;
  return token === tokens.length;
}

function matchOne(token: Exclude<Token, '*'>, char: string): boolean {
  if (token === '?') return true;
  if ('plain' in token) return token.plain === char;
  return token.ranges.some(([low, high]) => low <= char && char <= high) !== token.negated;
}
