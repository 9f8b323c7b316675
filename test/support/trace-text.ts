/** A trace without what we add to it: sections, colours, the lines of the runner. */
export function stepOutput(trace: string, step: string): string {
  const start = new RegExp(`section_start:\\d+:${step}\\r\\x1b\\[0K\\x1b\\[0K\\x1b\\[36;1m[^\\n]*\\n`).exec(trace);
  if (start === null) throw new Error(`The trace has no section ${step}:\n${trace}`);
  const from = start.index + start[0].length;
  const end = trace.slice(from).search(new RegExp(`section_end:\\d+:${step}\\r`));
  return trace.slice(from, end === -1 ? undefined : from + end).replace(/^\x1b\[32;1m\$ [^\n]*\x1b\[0;m\n/gm, '');
}
