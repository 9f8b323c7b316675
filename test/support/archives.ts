import { extract, pack, type Header } from 'tar-stream';

/** Of a tar: its header and what is in it. */
export type Member = Partial<Header> & { name: string; content?: string };

export async function tarOf(members: Member[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of members)
    tar.entry({ mtime: new Date(1_700_000_000_000), ...header }, content ?? '');
  tar.finalize();
  return await whole(tar);
}

export async function whole(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

/** Sorted: `file=content`, `link->target`, `directory/`. */
export async function untar(bytes: Buffer): Promise<string[]> {
  const tar = extract();
  tar.end(bytes);
  const found: string[] = [];
  for await (const entry of tar) {
    const { name, type, linkname } = entry.header;
    const content = (await whole(entry)).toString();
    found.push(type === 'symlink' ? `${name}->${linkname}` : type === 'directory' ? name : `${name}=${content}`);
  }
  return found.sort();
}
