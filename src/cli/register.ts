import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { entryNameFor, withGitlabEntry, type NewEntry } from '../config/gitlab-entry.js';
import { DEFAULT_CONFIG_FILE, loadConfig, parseConfig, runnerTokenFromEnvironment } from '../config/load.js';
import { readIfThere, replaceFile } from '../config/private-file.js';
import type { Config } from '../config/schema.js';
import { explainVerify } from '../gitlab/explain.js';
import { printJson, say } from './context.js';
import { EXIT, UsageError } from './exit-codes.js';

interface RegisterOptions {
  url: string;
  token?: string;
  name?: string;
  pool?: string;
  limit?: string;
  ca?: string;
  tokenFile?: string;
  config?: string;
  json?: boolean;
}

export function addRegister(program: Command): void {
  program
    .command('register')
    .description('verify a GitLab runner token and write its entry to the configuration')
    .requiredOption('--url <url>', 'of GitLab, e.g. https://gitlab.example.com')
    .option('--token <token>', 'glrt-…; "-" reads it from standard input; default: HOLDFAST_REGISTER_TOKEN')
    .option('--name <name>', 'of the entry; one of this name is renewed')
    .option('--pool <pool>', 'where its jobs run')
    .option('--limit <jobs>', 'jobs at once')
    .option('--ca <file>', "PEM file of the authority of GitLab's certificate")
    .option('--token-file <file>', 'where to keep the token; default: beside the configuration')
    .option('--config <file>', 'configuration to change, made when it is missing', DEFAULT_CONFIG_FILE)
    .option('--json', 'print JSON')
    .action(register);
}

async function register(options: RegisterOptions): Promise<void> {
  const token = await tokenOf(options);
  const file = resolve(options.config ?? DEFAULT_CONFIG_FILE);
  const text = (await readIfThere(file)) ?? '';
  const config = text.trim() === '' ? parseConfig({}, file) : loadConfig({ file }).config;
  const entry = entryOf(options, config, file);
  // Before GitLab is asked: what cannot be written need not be verified.
  const changed = withGitlabEntry(text, entry, file);
  const verified = await verify(config, entry, token);
  if (!verified.ok) {
    say(`holdfast: ${verified.words}`);
    process.exitCode = EXIT.unreachable;
    return;
  }
  for (const warning of verified.warnings) say(`warning: ${warning}`);
  const known = (await readIfThere(entry.tokenFile))?.trim() === token && changed === text;
  if (!known) await keep(entry.tokenFile, token, file, changed);
  report(options, entry, file, verified.words, known);
}

async function tokenOf({ token }: RegisterOptions): Promise<string> {
  const given = token ?? runnerTokenFromEnvironment() ?? (process.stdin.isTTY ? undefined : '-');
  if (given === undefined)
    throw new UsageError('No token: give --token glrt-…, set HOLDFAST_REGISTER_TOKEN, or pipe it to standard input');
  const read = (given === '-' ? await readAll(process.stdin) : given).trim();
  if (read === '') throw new UsageError('The token is empty: it begins with "glrt-" as a rule');
  if (/\s/.test(read)) throw new UsageError('The token holds white space: give one token, as GitLab shows it');
  return read;
}

function entryOf(options: RegisterOptions, config: Config, file: string): NewEntry {
  if (!/^https?:\/\//.test(options.url) || !URL.canParse(options.url))
    throw new UsageError(`"${options.url}" is no http or https URL: --url is that of GitLab's start page`);
  if (options.limit !== undefined && !/^[1-9]\d*$/.test(options.limit))
    throw new UsageError(`--limit "${options.limit}" is no number of jobs`);
  const name = options.name ?? entryNameFor(options.url, config.gitlab);
  return {
    name,
    url: options.url.replace(/\/+$/, ''),
    tokenFile: resolve(options.tokenFile ?? join(dirname(file), `gitlab-${name}.token`)),
    ...(options.pool === undefined ? {} : { pool: options.pool }),
    ...(options.limit === undefined ? {} : { limit: Number(options.limit) }),
    ...(options.ca === undefined ? {} : { ca: resolve(options.ca) }),
  };
}

async function verify(config: Config, entry: NewEntry, token: string) {
  const { openStore } = await import('../store/open-store.js');
  const { loadSystemId } = await import('../gitlab/system-id.js');
  const { openGitlabClient } = await import('../worker/gitlab/entries.js');
  const { VERSION } = await import('../version.js');
  const { name, url, ca } = entry;
  const [settings] = parseConfig(
    { gitlab: [{ name, url, token, ...(ca === undefined ? {} : { ca }) }] },
    'the entry',
  ).gitlab;
  if (settings === undefined) throw new Error('An entry was parsed to nothing');
  const systemId = await loadSystemId(await openStore(config.store));
  const client = openGitlabClient(settings, { systemId, revision: VERSION });
  try {
    const told = await client.verify();
    // It will be renewed; one that is refused never was.
    return explainVerify(url, told, Date.now(), { renewed: told.kind === 'valid' });
  } finally {
    await client.close();
  }
}

/** The token first: a configuration must not name a file that is not there. */
async function keep(tokenFile: string, token: string, file: string, content: string): Promise<void> {
  await mkdir(dirname(tokenFile), { recursive: true });
  await replaceFile(tokenFile, `${token}\n`, { mode: 0o600, enforceMode: true });
  await mkdir(dirname(file), { recursive: true });
  await replaceFile(file, content, { mode: 0o600 });
}

function report(options: RegisterOptions, entry: NewEntry, file: string, words: string, known: boolean): void {
  if (options.json === true) {
    printJson({ entry: entry.name, url: entry.url, config: file, tokenFile: entry.tokenFile, changed: !known });
    return;
  }
  process.stdout.write(`${entry.url}: ${words}\n`);
  process.stdout.write(
    known
      ? `Entry "${entry.name}" is in ${file} already\n`
      : `Entry "${entry.name}" is in ${file}, its token in ${entry.tokenFile}\n`,
  );
}
