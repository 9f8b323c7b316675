import type { SourceSpec } from '../contracts/job-spec.js';
import { isFalse, isTrue, preamble, type ScriptContext } from './script.js';
import { quote } from './quote.js';

/**
 * Fetches the sources, in the helper container: `sh` and `git` are all it needs (gitlab-protocol section 7). The repository's
 * password stays out of `.git/config`: the remote has a clean URL and git gets the credentials from a configuration that lives
 * only in the environment of this script.
 */
export function getSourcesScript(context: ScriptContext & { source: SourceSpec; warnings: string[] }): string {
  const { source, projectDirectory, variables, warnings } = context;
  const settings = gitSettings(source, variables.lookup, warnings);
  const directory = quote(projectDirectory);
  // First of all: the files of variables are root's here, and are written anew by the build's user, whoever that is.
  const head = `umask 0000\n${preamble(context)}`;
  if (settings.strategy === 'none') return `${head}mkdir -p ${directory}\n${say('Skipping Git repository setup')}`;
  if (settings.strategy === 'empty') {
    return `${head}rm -rf ${directory}\nmkdir -p ${directory}\n${say('Skipping Git repository setup and creating an empty build directory')}`;
  }
  const attempt = [
    'set -e',
    ...source.preScript,
    settings.strategy === 'clone' ? `rm -rf ${directory}` : removeLocks(directory),
    say(
      settings.depth > 0
        ? `Fetching changes with git depth set to ${String(settings.depth)}...`
        : 'Fetching changes...',
    ),
    ...prepareRepository(source, directory),
    fetch(source, settings),
    ...(settings.checkout ? checkout(source, settings) : [say('Skipping Git checkout')]),
    ...(settings.checkout ? submodules(settings) : []),
    ...source.postScript,
  ].join('\n');
  return `${head}${environment(source, directory, settings)}\n${withAttempts(attempt, directory, settings.attempts)}\n`;
}

interface GitSettings {
  strategy: SourceSpec['strategy'];
  depth: number;
  submodules: SourceSpec['submodules'];
  attempts: number;
  checkout: boolean;
  cleanFlags: string;
  fetchFlags: string;
  submoduleDepth: number;
  submodulePaths: string;
  submoduleFlags: string;
  submodulesByHttps: boolean;
  lfs: boolean;
  /** Files for TLS with the coordinator's host, by git's name for them. */
  tlsFiles: [string, string][];
}

const TLS_FILES = {
  CI_SERVER_TLS_CA_FILE: 'sslCAInfo',
  CI_SERVER_TLS_CERT_FILE: 'sslCert',
  CI_SERVER_TLS_KEY_FILE: 'sslKey',
};

const STRATEGIES = ['clone', 'fetch', 'none', 'empty'] as const;
const SUBMODULES = ['none', 'normal', 'recursive'] as const;

function gitSettings(
  source: SourceSpec,
  lookup: (name: string) => string | undefined,
  warnings: string[],
): GitSettings {
  function choice<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = lookup(name);
    if (value === undefined || value === '') return fallback;
    const found = allowed.find((entry) => entry === value);
    if (found === undefined)
      warnings.push(`${name} "${value}" is none of ${allowed.join(', ')}; "${fallback}" is used`);
    return found ?? fallback;
  }
  function count(name: string, fallback: number, min: number, max: number): number {
    const value = lookup(name);
    if (value === undefined || value === '') return fallback;
    if (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value);
    warnings.push(
      `${name} "${value}" is not a number from ${String(min)} to ${String(max)}; ${String(fallback)} is used`,
    );
    return fallback;
  }
  const depth = count('GIT_DEPTH', source.depth, 0, 1_000_000);
  const words = (name: string, fallback: string) => quoteWords(lookup(name) ?? '') || fallback;
  return {
    strategy: choice('GIT_STRATEGY', STRATEGIES, source.strategy),
    depth,
    submodules: choice('GIT_SUBMODULE_STRATEGY', SUBMODULES, source.submodules),
    attempts: count('GET_SOURCES_ATTEMPTS', source.attempts, 1, 10),
    checkout: !isFalse(lookup('GIT_CHECKOUT')),
    cleanFlags: words('GIT_CLEAN_FLAGS', '-ffdx'),
    // `none`: GitLab's own flags and no others.
    fetchFlags: lookup('GIT_FETCH_EXTRA_FLAGS') === 'none' ? '' : words('GIT_FETCH_EXTRA_FLAGS', '--prune --quiet'),
    submoduleDepth: count('GIT_SUBMODULE_DEPTH', depth, 0, 1_000_000),
    submodulePaths: words('GIT_SUBMODULE_PATHS', ''),
    submoduleFlags: words('GIT_SUBMODULE_UPDATE_FLAGS', ''),
    submodulesByHttps: isTrue(lookup('GIT_SUBMODULE_FORCE_HTTPS')),
    lfs: !isTrue(lookup('GIT_LFS_SKIP_SMUDGE')),
    tlsFiles: Object.entries(TLS_FILES).flatMap(([variable, setting]) => {
      const path = lookup(variable);
      return path === undefined ? [] : [[setting, path]];
    }),
  };
}

/** Flags are words and nothing more: what else they hold is no shell syntax. */
function quoteWords(text: string): string {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(quote)
    .join(' ');
}

/** Nobody is there to ask; the directory may belong to another user than the one who fetches. */
function environment(source: SourceSpec, directory: string, given: GitSettings): string {
  const settings = [
    ['safe.directory', '*'],
    ['init.defaultBranch', 'none'],
    ['advice.detachedHead', 'false'],
    ['fetch.recurseSubmodules', 'false'],
    ['gc.auto', '0'],
    ['protocol.file.allow', 'always'],
    ...credentials(source.repo),
    ...(given.submodulesByHttps ? sshAddresses(source.repo) : []),
    ...given.tlsFiles.map(([setting, path]) => [`http.${originOf(withoutCredentials(source.repo))}.${setting}`, path]),
  ];
  return [
    'export GIT_TERMINAL_PROMPT=0 GCM_INTERACTIVE=Never HOME=${HOME:-/root}',
    `export GIT_CONFIG_COUNT=${String(settings.length)}`,
    ...settings.map(
      ([key, value], index) =>
        `export GIT_CONFIG_KEY_${String(index)}=${quote(key ?? '')} GIT_CONFIG_VALUE_${String(index)}=${quote(value ?? '')}`,
    ),
    `mkdir -p ${directory}`,
  ].join('\n');
}

function credentials(repo: string): [string, string][] {
  const clean = withoutCredentials(repo);
  return clean === repo ? [] : [[`url.${originOf(repo)}.insteadOf`, originOf(clean)]];
}

/** Submodules that are named by SSH, fetched over HTTPS with the job's own credentials (`GIT_SUBMODULE_FORCE_HTTPS`). */
function sshAddresses(repo: string): [string, string][] {
  if (!/^https?:/.test(repo) || !URL.canParse(repo)) return [];
  const { hostname } = new URL(repo);
  const key = `url.${originOf(repo)}/.insteadOf`;
  return [
    [key, `git@${hostname}:`],
    [key, `ssh://git@${hostname}/`],
  ];
}

function withoutCredentials(repo: string): string {
  if (!/^https?:/.test(repo) || !URL.canParse(repo)) return repo;
  const url = new URL(repo);
  if (url.username === '' && url.password === '') return repo;
  url.username = '';
  url.password = '';
  return url.toString();
}

/** Scheme, credentials and host: submodules of the same server are fetched with them too. */
function originOf(repo: string): string {
  return /^https?:\/\/[^/]+/.exec(repo)?.[0] ?? repo;
}

function removeLocks(directory: string): string {
  const git = `${directory}/.git`;
  return `if [ -d ${git} ]; then rm -f ${git}/index.lock ${git}/shallow.lock ${git}/HEAD.lock ${git}/config.lock ${git}/hooks/post-checkout; find ${git}/refs -name '*.lock' -exec rm -f {} + 2>/dev/null || true; fi`;
}

function prepareRepository(source: SourceSpec, directory: string): string[] {
  const url = quote(withoutCredentials(source.repo));
  return [
    `if [ -d ${directory}/.git ]; then ${say('Reinitialized existing Git repository.')}; else ${say('Created fresh repository.')}; fi`,
    `git init --quiet ${source.objectFormat === undefined ? '' : `--object-format=${source.objectFormat} `}${directory}`,
    `cd ${directory}`,
    `if git config remote.origin.url >/dev/null; then git remote set-url origin ${url}; else git remote add origin ${url}; fi`,
  ];
}

function fetch(source: SourceSpec, settings: GitSettings): string {
  const depth = settings.depth > 0 ? `--depth ${String(settings.depth)}` : '';
  const refspecs = source.refspecs.length > 0 ? source.refspecs : refspecsOf(source);
  const plain = `git fetch origin ${depth} ${settings.fetchFlags} ${refspecs.map(quote).join(' ')}`;
  // A commit that the refs do not reach at this depth: servers that allow it give it by its name, others need everything.
  const wanted =
    source.sha === undefined
      ? ''
      : `\ngit cat-file -e ${quote(`${source.sha}^{commit}`)} 2>/dev/null || git fetch origin ${depth} --quiet ${quote(source.sha)} 2>/dev/null || git fetch origin --quiet --tags --unshallow '+refs/heads/*:refs/remotes/origin/*' || git fetch origin --quiet --tags '+refs/heads/*:refs/remotes/origin/*'`;
  const unshallow =
    settings.depth === 0 ? 'if [ -f .git/shallow ]; then git fetch origin --unshallow --quiet; fi\n' : '';
  return `${unshallow}${plain}${wanted}`;
}

/** A branch or a tag of that name; without a name, the remote's HEAD. */
function refspecsOf(source: SourceSpec): string[] {
  return source.ref === undefined ? ['+HEAD:refs/remotes/origin/HEAD'] : [`+${source.ref}:refs/holdfast/ref`];
}

function checkout(source: SourceSpec, settings: GitSettings): string[] {
  const target = source.sha ?? (source.ref === undefined ? 'refs/remotes/origin/HEAD' : 'refs/holdfast/ref');
  const fallback =
    source.refspecs.length > 0 && source.sha === undefined ? `refs/remotes/origin/${source.ref ?? 'HEAD'}` : target;
  const ref = source.ref === undefined ? '' : ` (ref is ${source.ref})`;
  return [
    `holdfast_sha=$(git rev-parse --verify ${quote(`${fallback}^{commit}`)})`,
    `printf '\\033[32;1mChecking out %.8s as detached HEAD%s...\\033[0;m\\n' "$holdfast_sha" ${quote(ref)}`,
    // Large files come afterwards, all at once.
    'GIT_LFS_SKIP_SMUDGE=1 git checkout -f -q --detach "$holdfast_sha"',
    ...(settings.cleanFlags === 'none' ? [] : [`git clean ${settings.cleanFlags}`]),
    ...(settings.lfs ? [pullLargeFiles()] : []),
  ];
}

/**
 * Where git-lfs is there. It does its work only where its filters are set up, which an image need not have done; the repository's own
 * configuration stays without them, for the script's image may have no git-lfs, and a filter that is not there breaks `git status`.
 */
function pullLargeFiles(each = ''): string {
  const filters = [
    ['smudge', 'git-lfs smudge -- %f'],
    ['clean', 'git-lfs clean -- %f'],
    ['process', 'git-lfs filter-process'],
    ['required', 'true'],
  ].map(([key, value]) => `-c filter.lfs.${key ?? ''}=${quote(value ?? '')}`);
  const pull = `git ${filters.join(' ')} lfs pull`;
  return `if git lfs version >/dev/null 2>&1; then ${each === '' ? pull : `${each} ${quote(pull)}`}; fi`;
}

function submodules(settings: GitSettings): string[] {
  if (settings.submodules === 'none') return [say('Skipping Git submodules setup')];
  const recursive = settings.submodules === 'recursive' ? '--recursive' : '';
  const depth = settings.submoduleDepth > 0 ? `--depth ${String(settings.submoduleDepth)}` : '';
  const paths = settings.submodulePaths === '' ? '' : `-- ${settings.submodulePaths}`;
  const sync = `git submodule sync ${recursive} ${paths}`;
  const update = `GIT_LFS_SKIP_SMUDGE=1 git submodule update --init ${recursive} ${depth} --force ${settings.submoduleFlags} ${paths}`;
  return [
    say(`Updating/initializing submodules${recursive === '' ? '' : ' recursively'}...`),
    `git submodule init ${paths}`,
    sync,
    `${update} || { git submodule foreach ${recursive} 'git clean -ffdx' ; ${sync}; ${update}; }`,
    ...(settings.cleanFlags === 'none'
      ? []
      : [`git submodule foreach ${recursive} ${quote(`git clean ${settings.cleanFlags}`)}`]),
    ...(settings.lfs ? [pullLargeFiles(`git submodule foreach ${recursive}`)] : []),
  ];
}

/** Each attempt is a shell of its own, so that `set -e` works in it; the worktree is thrown away before the second. */
function withAttempts(attempt: string, directory: string, attempts: number): string {
  if (attempts <= 1) return attempt;
  return `holdfast_attempt=1
until sh -c ${quote(attempt)}; do
  if [ "$holdfast_attempt" -ge ${String(attempts)} ]; then exit 1; fi
  ${say('Deleting all tracked and untracked files due to source fetch failure')}
  rm -rf ${directory}
  mkdir -p ${directory}
  sleep $((holdfast_attempt * 5)) 2>/dev/null || true
  holdfast_attempt=$((holdfast_attempt + 1))
done`;
}

function say(text: string): string {
  return `printf '\\033[32;1m%s\\033[0;m\\n' ${quote(text)}`;
}
