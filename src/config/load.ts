import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { runningDev } from '../dev/dev-state.js';
import { inWords, toProblems } from '../job/problems.js';
import { readAs } from '../job/read-as.js';
import { CONFIG_KEYS, ConfigSchema, type Config } from './schema.js';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface LoadedConfig {
  config: Config;
  /** Absent: the embedded defaults. */
  file: string | undefined;
  warnings: string[];
}

export const DEFAULT_CONFIG_FILE = 'holdfast.yaml';
/** In `dist`, beside the compiled sources. */
const BUILD_REVISION = new URL('../revision', import.meta.url);

/**
 * `file` if given, else `holdfast.yaml` where there is one, else that of the `holdfast dev` which runs here, else the defaults.
 * @param options.ignoreRunningDev for `holdfast dev` itself
 * @throws ConfigError naming every problem at once
 */
export function loadConfig(
  options: { file?: string | undefined; cwd?: string; env?: NodeJS.ProcessEnv; ignoreRunningDev?: boolean } = {},
): LoadedConfig {
  const { cwd = process.cwd(), env = process.env } = options;
  const file =
    options.file ??
    (existsSync(resolve(cwd, DEFAULT_CONFIG_FILE)) ? DEFAULT_CONFIG_FILE : undefined) ??
    (options.ignoreRunningDev === true ? undefined : runningDev(cwd)?.configFile);
  if (file === undefined) return { config: parseConfig({}, 'the defaults', env), file, warnings: [] };
  const path = resolve(cwd, file);
  const value = readYaml(path);
  const config = parseConfig(value ?? {}, path, env);
  return { config, file: path, warnings: openSecrets(path, parseConfig(value ?? {}, path)) };
}

/** Files with secrets that others can read; a token that came by environment is in none. */
function openSecrets(path: string, given: Config): string[] {
  const holdsSecrets = given.gitlab.some(({ token, environment }) => token !== undefined || hasSecrets(environment));
  const tokenFiles = given.gitlab.flatMap(({ tokenFile }) => tokenFile ?? []);
  return [
    ...(holdsSecrets && isOpen(path) ? [`${path} holds a token and can be read by others: chmod 600 ${path}`] : []),
    ...tokenFiles.filter(isOpen).map((file) => `${file} can be read by others: chmod 600 ${file}`),
  ];
}

/** Names as people give them to what nobody else should have. */
function hasSecrets(environment: Record<string, string>): boolean {
  return Object.keys(environment).some((key) => /token|password|secret|auth|key/i.test(key));
}

function isOpen(path: string): boolean {
  try {
    return (statSync(path).mode & 0o077) !== 0;
  } catch {
    return false; // not there: whoever needs it says so
  }
}

/** The token that `holdfast register` is given without showing it to `ps`. */
export function runnerTokenFromEnvironment(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['HOLDFAST_REGISTER_TOKEN'];
}

/**
 * The commit that this was built from: what whoever runs or built it has said (HOLDFAST_REVISION, as `Dockerfile` does), else what the
 * build found in its git directory (`scripts/write-revision.mjs`), else `unknown`.
 */
export function buildRevision(env: NodeJS.ProcessEnv = process.env, file = BUILD_REVISION): string {
  return env['HOLDFAST_REVISION'] || (existsSync(file) ? readFileSync(file, 'utf8').trim() : '') || 'unknown';
}

/** Where a `gitlab[]` entry's token may come from without a file. */
export function tokenVariableOf(entry: string): string {
  return `HOLDFAST_GITLAB_TOKEN_${entry.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
}

function readYaml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`The configuration ${path} cannot be read`, { cause });
  }
  try {
    return parse(text, { maxAliasCount: 100 });
  } catch (cause) {
    throw new ConfigError(`${path} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** @param where for messages */
export function parseConfig(value: unknown, where: string, env: NodeJS.ProcessEnv = {}): Config {
  const parsed = readAs(ConfigSchema, value, { error: inWords });
  if (!parsed.success) {
    const problems = toProblems(parsed.error, (path) => {
      const names = path.filter((segment) => typeof segment === 'string').join('.');
      return CONFIG_KEYS[names] ?? [];
    });
    const lines = problems.map(
      (problem) => `  ${problem.path === '(job)' ? '(top)' : problem.path}: ${problem.message}`,
    );
    throw new ConfigError(
      `${where} has ${String(problems.length)} problem${problems.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
    );
  }
  return deepFreeze(withEnvironment(parsed.data, env));
}

/** Secrets may come by environment: `HOLDFAST_GITLAB_TOKEN_<NAME>`; and the log level, for a quick look. */
function withEnvironment(config: Config, env: NodeJS.ProcessEnv): Config {
  const level = env['HOLDFAST_LOG_LEVEL'];
  return {
    ...config,
    log: level === undefined ? config.log : { level: ConfigSchema.shape.log.parse({ level }).level },
    gitlab: config.gitlab.map((entry) => {
      const token = env[tokenVariableOf(entry.name)];
      // It outranks a file, too.
      return token === undefined ? entry : { ...entry, token, tokenFile: undefined };
    }),
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
