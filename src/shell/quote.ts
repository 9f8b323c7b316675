/** One word for any POSIX shell, whatever the text holds. */
export function quote(text: string): string {
  if (/^[A-Za-z0-9,./@_:=+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
