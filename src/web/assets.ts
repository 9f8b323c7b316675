import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const Manifest = z.record(z.string(), z.string());

/** What the build has made for browsers (scripts/bundle-web.mjs), read once. */
export interface WebAssets {
  /** @throws Error for a name that was not built */
  url(name: string): string;
  /** @throws Error for a name that was not built */
  text(name: string): string;
  /** All of them by file name. */
  readonly files: ReadonlyMap<string, { type: string; content: Buffer }>;
}

/** @throws Error when the front end was not built */
export function loadAssets(directory = fileURLToPath(new URL('../../dist/web/assets/', import.meta.url))): WebAssets {
  const manifest = readManifest(directory);
  const files = new Map(
    Object.values(manifest).map((file) => {
      const type = TYPES[/\.\w+$/.exec(file)?.[0] ?? ''] ?? 'application/octet-stream';
      return [file, { type, content: readFileSync(join(directory, basename(file))) }] as const;
    }),
  );
  const fileOf = (name: string) => {
    const file = manifest[name];
    if (file === undefined) throw new Error(`The front end has no ${name}: run "npm run build"`);
    return file;
  };
  return {
    url: (name) => `/assets/${fileOf(name)}`,
    text: (name) => files.get(fileOf(name))?.content.toString('utf8') ?? '',
    files,
  };
}

/** Names hold a hash of the content, so a browser may keep them for ever. */
export function registerAssets(app: FastifyInstance, assets: WebAssets): void {
  app.get<{ Params: { file: string } }>('/assets/:file', async (request, reply) => {
    const file = assets.files.get(request.params.file);
    if (file === undefined) return await reply.code(404).send({ message: 'There is no such file' });
    return await reply
      .type(file.type)
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(file.content);
  });
}

function readManifest(directory: string): Record<string, string> {
  try {
    return Manifest.parse(JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')));
  } catch (cause) {
    throw new Error(`The front end in ${directory} is missing: run "npm run build"`, { cause });
  }
}
