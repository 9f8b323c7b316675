import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { readIfThere, replaceFile } from '../config/private-file.js';
import type { Imported } from '../config/import/import-toml.js';
import { printJson, say, writeOut } from './context.js';
import { UsageError } from './exit-codes.js';

interface ImportOptions {
  output?: string;
  tokens?: string;
  force?: boolean;
  json?: boolean;
}

export function addImportConfig(program: Command): void {
  program
    .command('import-config')
    .description(
      "turn gitlab-runner's config.toml into a configuration of Holdfast, and list what it could not carry over",
    )
    .argument('<config.toml>', '"-" reads standard input')
    .option('--output <file>', 'write it there instead of printing it')
    .option('--tokens <directory>', 'where to write the tokens (mode 0600); default: beside --output')
    .option('--force', 'replace files that are there')
    .option('--json', 'print what was left out as JSON (with --output)')
    .action(importConfig);
}

async function importConfig(file: string, options: ImportOptions): Promise<void> {
  if (options.json === true && options.output === undefined)
    throw new UsageError('--json needs --output: the configuration itself is what is printed otherwise');
  const { importToml } = await import('../config/import/import-toml.js');
  const { stringify } = await import('yaml');
  const text = file === '-' ? await readAll(process.stdin) : await readIfThere(resolve(file));
  if (text === undefined) throw new UsageError(`There is no file ${resolve(file)}`);
  const directory = tokensDirectory(options);
  const imported = importToml(text, {
    tokenFile: (entry) => join(directory ?? '/etc/holdfast', `gitlab-${entry}.token`),
  });
  const yaml = `${HEAD}${stringify(imported.config, { lineWidth: 0 })}`;
  const files = [
    ...(options.output === undefined ? [] : [{ path: resolve(options.output), content: yaml }]),
    ...(directory === undefined
      ? []
      : imported.tokens.map(({ file: path, token }) => ({ path, content: `${token}\n` }))),
  ];
  if (options.force !== true) await assertNothingLost(files);
  for (const { path, content } of files) {
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, content, { mode: 0o600, enforceMode: true });
  }
  if (options.output === undefined) await writeOut(yaml);
  report(imported, options, directory !== undefined);
}

const HEAD = '# Imported from a config.toml of gitlab-runner. Every setting: docs/gitlab.md\n';

function tokensDirectory({ tokens, output }: ImportOptions): string | undefined {
  if (tokens !== undefined) return resolve(tokens);
  return output === undefined ? undefined : dirname(resolve(output));
}

async function assertNothingLost(files: { path: string; content: string }[]): Promise<void> {
  for (const { path, content } of files) {
    const known = await readIfThere(path);
    if (known !== undefined && known !== content)
      throw new UsageError(`${path} is there already and differs; nothing was written. --force replaces it`);
  }
}

function report(imported: Imported, options: ImportOptions, tokensWritten: boolean): void {
  const { tokens, leftOut } = imported;
  if (options.json === true) {
    printJson({ output: options.output, tokenFiles: tokens.map(({ file }) => file), leftOut });
    return;
  }
  for (const { entry, file } of tokens)
    say(
      tokensWritten
        ? `token of "${entry}" is in ${file}`
        : `token of "${entry}" was not written: put it into ${file} (chmod 600), or give --tokens`,
    );
  if (leftOut.length === 0) say('Everything was carried over.');
  else {
    say(`Not carried over (${String(leftOut.length)}):`);
    for (const { path, why } of leftOut) say(`  ${path}: ${why}`);
  }
}
