import { pack } from 'tar-stream';
import type { StepRun, StepScript } from '../engine.js';

/**
 * What runs in a container around a step's script. It needs a shell and nothing else of the image.
 *
 * One container runs several steps, one after another, and is started anew for each: so after_script finds what the script has
 * installed, and the container log holds the output of all steps, with markers that only we can have written.
 */

const ROOT = '/.holdfast';

/** Exit code of a run that was refused because its step had started before. */
export const REFUSED_EXIT_CODE = 222;

/** The usual places, in GitLab's order (gitlab-protocol section 5.2). */
const SHELLS = [
  '/usr/local/bin/bash',
  '/usr/bin/bash',
  '/bin/bash',
  '/usr/local/bin/sh',
  '/usr/bin/sh',
  '/bin/sh',
  '/busybox/sh',
];

/** Static: `docker inspect` shows it, so nothing of the job is in it. */
export const CONTAINER_COMMAND = [
  'sh',
  '-c',
  `for s in ${SHELLS.join(' ')}; do if [ -x "$s" ]; then exec "$s" ${ROOT}/main "$s"; fi; done; echo "shell not found" >&2; exit 1`,
];

/**
 * Where a container finds how many of its processes the kernel killed for want of memory: cgroup v2, v1. The engine's own word on
 * it (`OOMKilled`) is wrong whenever it hears of the end before it hears of the killing.
 */
const OOM_COUNTERS = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control'];

/**
 * PID 1 of the container. `set -C` makes the creation of `started` atomic: it is the fence that lets a script run at most once,
 * however often and by whomever the container is started. Only shell builtins are used.
 * What it leaves in `exit` and in its last words is `<code>`, or `<code>:oom`.
 */
function mainScript(nonce: string): string {
  return `exec 2>&1 </dev/null
IFS= read -r step <${ROOT}/step
dir=${ROOT}/$step
(set -C; : >"$dir/started") 2>/dev/null || exit ${String(REFUSED_EXIT_CODE)}
printf '\\036holdfast:${nonce}:%s:start\\036\\n' "$step"
if [ -f "$dir/env" ]; then . "$dir/env"; fi
"$1" "$dir/script"
code=$?
exit=$code
if [ "$code" != 0 ]; then
  for counters in ${OOM_COUNTERS.join(' ')}; do
    if [ -r "$counters" ]; then
      while read -r name count; do
        if [ "$name" = oom_kill ] && [ "$count" != 0 ]; then exit=$code:oom; fi
      done <"$counters"
    fi
  done
fi
result=$exit
if [ -f "$dir/stop" ]; then result=stopped; fi
printf '\\036holdfast:${nonce}:%s:end:%s\\036\\n' "$step" "$result"
printf '%s' "$exit" >"$dir/exit"
exit "$code"
`;
}

/** Everything that a fresh container gets: the wrapper, the scripts and the job's directories. */
export async function containerFiles(input: {
  nonce: string;
  /** The first is what the container's first start runs. */
  steps: StepScript[];
  /** Made with mode 0777, parents too. */
  directories: string[];
}): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: '.holdfast/', type: 'directory', mode: 0o777 });
  tar.entry({ name: '.holdfast/main', mode: 0o755 }, mainScript(input.nonce));
  for (const step of input.steps) {
    tar.entry({ name: `.holdfast/${step.name}/`, type: 'directory', mode: 0o777 });
    tar.entry({ name: `.holdfast/${step.name}/script`, mode: 0o755 }, step.script);
  }
  const [first] = input.steps;
  if (first !== undefined) nameStep(tar, first.name);
  addDirectories(tar, input.directories);
  return await finished(tar);
}

/** Directories with mode 0777, their parents too: whatever user the image has may write there. */
export async function directoriesArchive(directories: string[]): Promise<Buffer> {
  const tar = pack();
  addDirectories(tar, directories);
  return await finished(tar);
}

function addDirectories(tar: ReturnType<typeof pack>, directories: string[]): void {
  for (const directory of withParents(directories)) {
    tar.entry({ name: `${directory.slice(1)}/`, type: 'directory', mode: 0o777 });
  }
}

/**
 * Names the step that the next start runs.
 * @param startedBefore when the container was started last: what is later than that, is for this step
 */
export async function stepFiles({ name, environment }: StepRun, startedBefore: string): Promise<Buffer> {
  const tar = pack();
  nameStep(tar, name);
  tar.entry({ name: `.holdfast/${name}/started-before`, mode: 0o644 }, startedBefore);
  const lines = Object.entries(environment).map(([key, value]) => `export ${key}=${quote(value)}\n`);
  if (lines.length > 0) tar.entry({ name: `.holdfast/${name}/env`, mode: 0o644 }, lines.join(''));
  return await finished(tar);
}

function nameStep(tar: ReturnType<typeof pack>, step: string): void {
  tar.entry({ name: '.holdfast/step', mode: 0o644 }, `${step}\n`);
}

/** A step that can never start: as one that was cut off before its first word. */
export async function fenceFiles(step: string): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: `.holdfast/${step}/started`, mode: 0o666 }, '');
  return await finished(tar);
}

/** A step that carries these never starts, and says so to whoever waits for it. */
export async function stopFiles(step: string, alreadyStarted: boolean): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: `.holdfast/${step}/stop`, mode: 0o666 }, '');
  if (!alreadyStarted) tar.entry({ name: `.holdfast/${step}/started`, mode: 0o666 }, '');
  return await finished(tar);
}

export function stepDirectory(step: string): string {
  return `${ROOT}/${step}`;
}

/** `/builds/group/project` → `/builds`, `/builds/group`, `/builds/group/project`, each once. */
function withParents(directories: string[]): string[] {
  const all = new Set<string>();
  for (const directory of directories) {
    const segments = directory.split('/').filter((segment) => segment !== '');
    segments.forEach((_, index) => all.add(`/${segments.slice(0, index + 1).join('/')}`));
  }
  return [...all];
}

function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

async function finished(tar: ReturnType<typeof pack>): Promise<Buffer> {
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
