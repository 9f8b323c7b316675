// What browsers load, bundled at build time: names with a hash of the content, and a manifest that says which name has which.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const source = path('../src/web/browser');
const target = path('../dist/web/assets');
const ENTRIES = [
  'app.ts',
  'theme.ts',
  'jobs.ts',
  'job.ts',
  'report.ts',
  'app.css',
  'job.css',
  'report.css',
  'icon.svg',
];

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const { metafile } = await build({
  entryPoints: ENTRIES.map((name) => join(source, name)),
  outdir: target,
  entryNames: '[name]-[hash]',
  bundle: true,
  format: 'esm',
  target: ['chrome123', 'firefox120', 'safari17.5'],
  minify: true,
  metafile: true,
  loader: { '.svg': 'copy' },
  logLevel: 'warning',
  legalComments: 'inline',
});
const manifest = Object.fromEntries(
  Object.entries(metafile.outputs).map(([output, { entryPoint = output }]) => [
    basename(entryPoint)
      .replace(/\.ts$/, '.js')
      .replace(/-[A-Z0-9]{8}(?=\.)/, ''),
    basename(output),
  ]),
);
await writeFile(join(target, 'manifest.json'), JSON.stringify(manifest, null, 2));
