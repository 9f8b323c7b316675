import { isMap, isSeq, parseDocument, type Document, type YAMLMap, type YAMLSeq } from 'yaml';
import { ConfigError, parseConfig } from './load.js';

/** What `holdfast register` knows of an entry of `gitlab:`. */
export interface NewEntry {
  name: string;
  url: string;
  tokenFile: string;
  pool?: string;
  limit?: number;
  ca?: string;
}

/**
 * Puts an entry into a configuration, or renews the one of its name; comments, order and everything else stay.
 * @param text the file as it is; empty for a new one
 * @throws ConfigError when the file is not YAML, or would not be a valid configuration
 */
export function withGitlabEntry(text: string, entry: NewEntry, where: string): string {
  const document = documentOf(text, where);
  const entries = entriesOf(document, where);
  const known = entries.items.find((item): item is YAMLMap => isMap(item) && item.get('name') === entry.name);
  const target = known ?? document.createNode({});
  for (const [key, value] of Object.entries(entry)) if (value !== undefined) target.set(key, value);
  // The token is in its file now.
  target.delete('token');
  if (known === undefined) entries.add(target);
  const changed = document.toString({ lineWidth: 0 });
  parseConfig(parseDocument(changed).toJS(), where);
  return changed;
}

function documentOf(text: string, where: string): Document {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new ConfigError(`${where} is not YAML: ${error.message}`);
  if (document.contents !== null && !isMap(document.contents))
    throw new ConfigError(`${where} is no configuration: it must be a mapping, as in docs/gitlab.md`);
  return document;
}

function entriesOf(document: Document, where: string): YAMLSeq {
  const found = document.get('gitlab');
  if (isSeq(found)) {
    // An empty `[]` would go on in one line.
    if (found.items.length === 0) found.flow = false;
    return found;
  }
  if (found !== undefined && found !== null)
    throw new ConfigError(`${where}: gitlab must be a list of entries, each with name and url`);
  const made = document.createNode([]);
  made.flow = false;
  document.set('gitlab', made);
  return made;
}

/** The name for a GitLab: the entry that has its URL, or `main`, or a free one made of the host. */
export function entryNameFor(url: string, entries: readonly { name: string; url: string }[]): string {
  const same = (a: string, b: string) => a.replace(/\/+$/, '') === b.replace(/\/+$/, '');
  const known = entries.find((entry) => same(entry.url, url));
  if (known !== undefined) return known.name;
  const taken = new Set(entries.map(({ name }) => name));
  const host = new URL(url).hostname
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 32);
  const names = ['main', host, ...Array.from({ length: 100 }, (_, index) => `${host}-${String(index + 2)}`)];
  return names.find((name) => !taken.has(name)) ?? 'main';
}
