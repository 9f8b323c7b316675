/**
 * Variable references as GitLab's runner expands them (gitlab-protocol section 6.2): `$NAME`, `${NAME}`, `$$` for a dollar; the
 * shell's special one-character parameters and unknown names become nothing, so `${NAME:-x}` does too. A brace that is never
 * closed goes with its dollar. One pass: what is inserted is not expanded again.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(
    /\$(?:\{([^}]*)\}|(\{)|([A-Za-z_][A-Za-z0-9_]*)|([$*#@!?\-0-9]))/g,
    (_match, braced?: string, open?: string, plain?: string, special?: string) => {
      if (special === '$' || braced === '$') return '$';
      const name = braced ?? plain;
      return name === undefined || open !== undefined ? '' : (lookup(name) ?? '');
    },
  );
}

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
