/** Writes the reader's own time over the server's UTC. */
export function localTimes(root: ParentNode): void {
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
  for (const element of root.querySelectorAll('time')) {
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    element.title = element.dateTime;
    element.textContent = short.format(date);
  }
}
