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

/** Streams what a selection means, each path once. */
export async function* selectedEntries(
  open: OpenTree,
  selection: Selection,
): AsyncGenerator<SelectedEntry, void, undefined> {
  for (const root of selection.roots) {
    const tree = await open(root);
    if (tree === undefined) continue;
    const tar = tree.pipe(extract());
    tree.once('error', (error) => tar.destroy(error));
    try {
      for await (const entry of tar) {
        const path = projectPath(root, entry.header.name);
        if (path !== '' && isKept(entry.header) && selection.matches(path)) {
          yield { path, header: entry.header, content: entry as unknown as Readable };
        }
        entry.resume();
      }
    } finally {
      // Half read, it would keep the engine's lock on the container, and the next attempt would wait for it for ever.
      tree.destroy();
    }
  }
}

/** The content of one file; undefined when there is none. */
export async function readFile(open: OpenTree, path: string): Promise<Buffer | undefined> {
  for await (const entry of selectedEntries(open, { roots: [path], matches: (found) => found === path, refused: [] })) {
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
