import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, type Header as Headers } from 'tar-stream';
import type { Selection } from './select.js';

/** One selected file, directory or link of the project. */
export interface SelectedEntry {
  /** Relative to the project. */
  path: string;
  header: Headers;
  /** To be read, or resumed, before the next entry comes. */
  content: Readable;
}

/** Opens a tar stream of a path below the project; undefined when there is no such path. Docker names entries from the last segment on. */
export type OpenTree = (relativePath: string) => Promise<Readable | undefined>;

/**
 * Streams what a selection means, each path once. A tar holds the content of a file once, and its other names (hard links) refer to
 * the first, which may be outside of the selection: such a name comes as a file of its own, after the others of its root.
 * @param options.keepLinks a name whose file is in the selection stays a hard link to it, named relative to the project
 */
export async function* selectedEntries(
  open: OpenTree,
  selection: Selection,
  options: { keepLinks?: boolean } = {},
): AsyncGenerator<SelectedEntry, void, undefined> {
  const streamed = new Set<string>();
  for (const root of selection.roots) {
    const copies: Copies = new Map();
    for await (const entry of entriesOf(open, root)) {
      const { path, header } = entry;
      if (!isKept(header) || !selection.matches(path)) continue;
      if (header.type !== 'link') {
        if (header.type === 'file') streamed.add(path);
        yield entry;
        continue;
      }
      const target = projectPath(root, header.linkname ?? '');
      if (options.keepLinks === true && streamed.has(target))
        yield { ...entry, header: { ...header, linkname: target } };
      else copies.set(target, [...(copies.get(target) ?? []), path]);
    }
    yield* copiesOf(open, root, copies);
  }
}

/** By the path that has the content: the paths that are to have it, too. */
type Copies = Map<string, string[]>;

/** One more pass for each further name of a file; a file rarely has many. */
async function* copiesOf(open: OpenTree, root: string, copies: Copies): AsyncGenerator<SelectedEntry, void, undefined> {
  for (let found = true; found && copies.size > 0;) {
    found = false;
    for await (const entry of entriesOf(open, root)) {
      const [path, ...others] = entry.header.type === 'file' ? (copies.get(entry.path) ?? []) : [];
      if (path === undefined) continue;
      found = true;
      if (others.length === 0) copies.delete(entry.path);
      else copies.set(entry.path, others);
      yield { ...entry, path };
    }
  }
}

/** Everything below a root, by its path in the project. */
async function* entriesOf(open: OpenTree, root: string): AsyncGenerator<SelectedEntry, void, undefined> {
  const tree = await open(root);
  if (tree === undefined) return;
  const tar = tree.pipe(extract());
  tree.once('error', (error) => tar.destroy(error));
  try {
    for await (const entry of tar) {
      const path = projectPath(root, entry.header.name);
      if (path !== '') yield { path, header: entry.header, content: entry as unknown as Readable };
      entry.resume();
    }
  } finally {
    // Half read, it would keep the engine's lock on the container, and the next attempt would wait for it for ever.
    tree.destroy();
  }
}

/** A job may make a file of any size, and a worker has only so much memory. */
export class FileTooLargeError extends Error {
  override readonly name = 'FileTooLargeError';
}

/**
 * The content of one file; undefined when there is none.
 * @throws FileTooLargeError
 */
export async function readFile(open: OpenTree, path: string, maxBytes: number): Promise<Buffer | undefined> {
  for await (const entry of selectedEntries(open, { roots: [path], matches: (found) => found === path, refused: [] })) {
    if (entry.header.type !== 'file') return undefined;
    if ((entry.header.size ?? 0) > maxBytes)
      throw new FileTooLargeError(`it is larger than ${String(Math.floor(maxBytes / 1024))} KiB`);
    return await buffer(entry.content);
  }
  return undefined;
}

/** `build/x` for root `out/build` becomes `out/build/x`. */
function projectPath(root: string, name: string): string {
  const clean = name.replace(/\/+$/, '');
  const slash = clean.indexOf('/');
  const inner = slash === -1 ? '' : clean.slice(slash + 1);
  return [root, inner].filter((part) => part !== '').join('/');
}

function isKept(header: Headers): boolean {
  return header.type === 'file' || header.type === 'directory' || header.type === 'symlink' || header.type === 'link';
}
