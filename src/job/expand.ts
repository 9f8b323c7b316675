/** What a job's variables may come to, all together: they can name one another a million times. */
export const MAX_EXPANDED_CHARACTERS = 16 * 1024 * 1024;

/** Its author must act. The message holds nothing of the job. */
export class ExpansionError extends Error {
  override readonly name = 'ExpansionError';

  constructor() {
    super(
      `The variables, inserted into one another, come to more than ${String(MAX_EXPANDED_CHARACTERS)} characters: keep large contents in files`,
    );
  }
}

/**
 * Variable references as GitLab's runner expands them (gitlab-protocol section 6.2): `$NAME`, `${NAME}`, `$$` for a dollar; the
 * shell's special one-character parameters and unknown names become nothing, so `${NAME:-x}` does too. A brace that is never
 * closed goes with its dollar. One pass: what is inserted is not expanded again.
 * @throws ExpansionError
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  // Behind the last closing brace none need be looked for: a text of nothing but `${` would be searched to its end at each.
  const end = text.lastIndexOf('}') + 1;
  return expandPart(text.slice(0, end), lookup) + expandPart(text.slice(end), lookup);
}

/** @param text one that ends in a closing brace, or has none */
function expandPart(text: string, lookup: (name: string) => string | undefined): string {
  const braced = text.endsWith('}') ? CLOSED : OPEN;
  const pattern = new RegExp(`\\$(?:${braced}|(?<plain>[A-Za-z_][A-Za-z0-9_]*)|(?<special>[$*#@!?\\-0-9]))`, 'g');
  let inserted = 0;
  return text.replace(pattern, (...match) => {
    const { name, plain, special } = match.at(-1) as { name?: string; plain?: string; special?: string };
    if (special === '$' || name === '$') return '$';
    const value = lookup(name ?? plain ?? '') ?? '';
    inserted += value.length;
    if (inserted > MAX_EXPANDED_CHARACTERS) throw new ExpansionError();
    return value;
  });
}

const CLOSED = '\\{(?<name>[^}]*)\\}';
const OPEN = '\\{';

/**
 * The POSIX shell's forms that GitLab's helper knows in artifact names and paths: those of `expand`, and `${X:-word}`,
 * `${X-word}`, `${X:+word}`, `${X+word}`. Words are expanded in turn.
 */
export function expandPosix(text: string, lookup: (name: string) => string | undefined): string {
  const form = /\$\{([A-Za-z_][A-Za-z0-9_]*)(:?)([-+])([^{}]*)\}/g;
  const replaced = text.replace(form, (_match, name: string, colon: string, kind: string, word: string) => {
    const value = lookup(name);
    const counts = value !== undefined && (colon === '' || value !== '');
    if (kind === '+') return counts ? escapeDollars(expand(word, lookup)) : '';
    return escapeDollars(counts ? value : expand(word, lookup));
  });
  return expand(replaced, lookup);
}

/** What was inserted is text: the second pass must not read references in it. */
function escapeDollars(text: string): string {
  return text.replaceAll('$', '$$$$');
}
