/** `$GITLAB_ENV`: lines `KEY=value`, a later one replaces an earlier one; what is no such line is nothing. As `shell/script.ts` reads it. */
export function parseEnvironmentFile(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    const key = line.slice(0, Math.max(0, equals));
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) variables.set(key, line.slice(equals + 1));
  }
  return variables;
}
