import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startProcess, until, type Process } from '../processes.js';
import { ensureTestImage, TEST_IMAGE } from '../docker.js';

/** A Docker engine of a test's own, which it may kill, restart and fill up. Needs root, as the machine's own engine does. */
export interface OwnEngine {
  readonly socket: string;
  /** Runs the Docker client on it. @returns the lines of its output */
  docker(...args: string[]): string[];
  /** Killed at once, as by a crash or `kill -9`. Its containers run on, until it is started again without live-restore. */
  kill(): Promise<void>;
  /** Told to stop (SIGTERM), as by an init system: without live-restore it stops its containers first, which gives them 10 s. */
  stop(): Promise<void>;
  /** Killed with everything that runs in its containers, as when the power of its host is cut. */
  crash(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  start(): Promise<void>;
  /** Leaves no byte free on its disk, until the returned function is called. */
  fillDisk(): () => void;
  close(): Promise<void>;
}

export interface OwnEngineOptions {
  /** Containers go on while the engine is away. */
  liveRestore?: boolean;
  /** Size of its disk, as in `mount -o size=`. */
  disk?: string;
}

/** Ten seconds are the containers', five its own. */
const STOP_MS = 30_000;

export const mayRunAnEngine = process.getuid?.() === 0 && existsSync('/var/run/docker.sock');

export async function startOwnEngine(options: OwnEngineOptions = {}): Promise<OwnEngine> {
  ensureTestImage();
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-engine-'));
  const disk = join(directory, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${options.disk ?? '256m'}`, 'tmpfs', disk]);
  const socket = join(directory, 'docker.sock');
  let engine: Process | undefined;

  function docker(...args: string[]): string[] {
    return execFileSync('docker', ['-H', `unix://${socket}`, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
      .split('\n')
      .filter((line) => line !== '');
  }

  async function start(): Promise<void> {
    engine = startProcess(
      // A network namespace of its own: an engine believes that the bridges and firewall rules it finds are its.
      'unshare',
      [
        '--net',
        'dockerd',
        `--host=unix://${socket}`,
        `--data-root=${join(disk, 'data')}`,
        `--exec-root=${join(directory, 'exec')}`,
        `--pidfile=${join(directory, 'docker.pid')}`,
        '--iptables=false',
        '--ip-masq=false',
        '--storage-driver=vfs',
        `--live-restore=${String(options.liveRestore ?? false)}`,
        '--log-level=error',
      ],
      join(directory, 'dockerd.log'),
    );
    await until('an own Docker engine', () => answers(docker), 60_000);
  }

  async function kill(): Promise<void> {
    await engine?.stop('SIGKILL');
    // What a boot or an init system clears away: ids of processes that are no more, which may be others' by now.
    for (const file of ['docker.pid', 'exec/containerd/containerd.pid']) rmSync(join(directory, file), { force: true });
  }

  async function stop(): Promise<void> {
    engine?.kill('SIGTERM');
    const ended = engine?.exited.then(() => true) ?? Promise.resolve(true);
    const late = delay(STOP_MS, false, { ref: false });
    if (!(await Promise.race([ended, late])))
      throw new Error(`The engine was not gone ${String(STOP_MS)} ms after SIGTERM`);
  }

  async function crash(): Promise<void> {
    const containers = docker('ps', '-q');
    const pids = containers.length === 0 ? [] : docker('inspect', '-f', '{{.State.Pid}}', ...containers).map(Number);
    await kill();
    // First who would see the containers end.
    endAllOf(directory);
    for (const pid of pids) endNow(pid);
  }

  await start();
  execFileSync('sh', ['-c', `docker save ${TEST_IMAGE} | docker -H unix://${socket} load`], { stdio: 'ignore' });
  return {
    socket,
    docker,
    kill,
    stop,
    crash,
    signal: (signal) => engine?.kill(signal),
    start,
    fillDisk() {
      const ballast = join(disk, 'ballast');
      execFileSync('sh', ['-c', `cat /dev/zero >${ballast} 2>/dev/null || true`]);
      return () => rmSync(ballast, { force: true });
    },
    async close() {
      if (!answers(docker)) await start();
      const containers = docker('ps', '-aq');
      if (containers.length > 0) docker('rm', '-fv', ...containers);
      await engine?.stop('SIGTERM');
      endAllOf(directory);
      for (const mount of mountsBelow(directory)) execFileSync('umount', ['-l', mount]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function answers(docker: OwnEngine['docker']): boolean {
  try {
    docker('version');
    return true;
  } catch {
    return false;
  }
}

/** Its containerd and what that has started, where they have outlived it: known by their place. */
function endAllOf(directory: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (command.includes(directory) && command.includes('containerd')) endNow(Number(pid));
    } catch {
      // It has ended meanwhile.
    }
  }
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** The deepest first. */
function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(directory))
    .sort((a, b) => b.length - a.length);
}
