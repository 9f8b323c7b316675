import { join, resolve, sep } from 'node:path';
import { build } from 'esbuild';

/**
 * The program of such a worker, to be run by node alone: a loader of TypeScript in the process would be counted in its memory.
 * What is of the product is taken from `dist`, as the product's own worker does.
 * @returns its file
 */
export async function buildNoOpWorker(directory: string): Promise<string> {
  const outfile = join(directory, 'no-op-worker.mjs');
  await build({
    entryPoints: [resolve('test/support/no-op/worker.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    plugins: [
      {
        name: 'product-from-dist',
        setup(given) {
          given.onResolve({ filter: /\/src\// }, ({ path, resolveDir }) => ({
            external: true,
            path: resolve(resolveDir, path).replace(`${resolve('src')}${sep}`, `${resolve('dist')}${sep}`),
          }));
        },
      },
    ],
  });
  return outfile;
}
