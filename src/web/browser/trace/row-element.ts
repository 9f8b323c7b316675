import type { TraceLine } from './server.js';

export interface RowFacts {
  /** From 0. */
  line: number;
  content: TraceLine | undefined;
  /** The line is the title of a section that can be closed. */
  section?: { open: boolean; seconds: number | undefined };
  marked: boolean;
  hit: boolean;
}

/** One line as an element. Everything from the trace goes in as text. */
export function createRow(facts: RowFacts): HTMLElement {
  const row = document.createElement('div');
  row.className = ['row', facts.marked && 'marked', facts.hit && 'hit', facts.section && 'title']
    .filter(Boolean)
    .join(' ');
  row.dataset['line'] = String(facts.line);
  row.append(lineLink(facts));
  if (facts.section !== undefined) row.append(foldButton(facts.line, facts.section.open));
  row.append(lineText(facts.content));
  if (facts.section?.seconds !== undefined) row.append(element('span', 'took', `${String(facts.section.seconds)} s`));
  return row;
}

function lineLink({ line, section, marked }: RowFacts): HTMLElement {
  const link = document.createElement('a');
  link.className = 'number';
  link.href = `#L${String(line + 1)}`;
  link.textContent = String(line + 1);
  // A thousand stops on the way through the page would help nobody: from these, arrow keys lead to the others.
  link.tabIndex = line === 0 || section !== undefined || marked ? 0 : -1;
  return link;
}

function foldButton(line: number, open: boolean): HTMLElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'fold';
  button.dataset['line'] = String(line);
  button.setAttribute('aria-expanded', String(open));
  button.setAttribute('aria-label', `Section at line ${String(line + 1)}`);
  button.textContent = open ? '▾' : '▸';
  return button;
}

function lineText(content: TraceLine | undefined): HTMLElement {
  const text = element('span', 'text', content === undefined ? '…' : '');
  if (content === undefined) return text;
  for (const [part, style] of content.spans) text.append(style === undefined ? part : styled(part, style));
  if (content.cut > 0)
    text.append(element('span', 'cut', ` … ${content.cut.toLocaleString()} more characters: see “Plain text”`));
  return text;
}

/** @param style see `styleCode` of the server */
function styled(text: string, style: string): HTMLElement {
  const span = element('span', '', text);
  for (const code of style.split(' ')) {
    const color = code.slice(1);
    if (!/^[fg]#[0-9a-f]{6}$/.test(code)) span.classList.add(`s-${code}`);
    else if (code.startsWith('f')) span.style.setProperty('--f', color);
    else span.style.setProperty('--g', color);
    if (color.startsWith('#')) span.classList.add(`s-${code.charAt(0)}-own`);
  }
  return span;
}

function element(name: string, className: string, text: string): HTMLElement {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  made.textContent = text;
  return made;
}
