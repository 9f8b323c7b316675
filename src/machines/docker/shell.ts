import { randomBytes } from 'node:crypto';
import { PassThrough, type Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { MachineError, type ShellRequest, type ShellSession } from '../engine.js';
import { isConflict, startedAnyhow } from './errors.js';
import { inspect } from './inspect.js';
import { containerFiles, stepFiles } from './wrapper.js';
import { LABEL_NONCE } from './names.js';

/** Stops itself, so that the container runs on and does nothing: a builtin of every shell, where `sleep` may be missing. */
const STAND_STILL = 'kill -STOP $$';

const FIND_SHELL = 'for s in bash sh; do command -v $s >/dev/null 2>&1 && exec $s; done';

/** A shell (or another command) in a machine's build container, as `docker exec -it`. */
export async function openShell(
  docker: Docker,
  container: Docker.Container,
  request: ShellRequest,
): Promise<ShellSession> {
  await makeRun(container, request.wake);
  const { terminal } = request;
  const tty = terminal !== undefined;
  const exec = await container.exec({
    Cmd: [
      'sh',
      '-c',
      `cd "$0" 2>/dev/null; ${request.command.length === 0 ? FIND_SHELL : 'exec "$@"'}`,
      request.directory,
      ...request.command,
    ],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: tty,
    ...(tty ? { Env: [`TERM=${terminal.type}`] } : {}),
  });
  const connection: Duplex = await exec.start({ hijack: true, stdin: true, Tty: tty });
  const { output, errors } = tty ? { output: connection, errors: undefined } : demultiplexed(docker, connection);
  const session: ShellSession = {
    input: connection,
    output,
    ...(errors === undefined ? {} : { errors }),
    resize: async ({ columns, rows }) => {
      await exec.resize({ w: columns, h: rows });
    },
    exitCode: async () => (await exec.inspect()).ExitCode ?? 0,
  };
  if (tty) await session.resize(terminal);
  return session;
}

/**
 * A held machine's container has stopped with its last step; it is started once more, with a step of its own that does nothing.
 * @throws MachineError MACHINE_GONE
 */
async function makeRun(container: Docker.Container, wake: boolean): Promise<void> {
  const info = await inspect(container);
  if (info === undefined) throw gone('The build container of this machine is gone');
  if (info.State.Running) return;
  if (!wake)
    throw gone('No step runs in this machine just now: a shell can be opened while one does, or while it is held');
  const step = `shell-${randomBytes(4).toString('hex')}`;
  const nonce = info.Config.Labels[LABEL_NONCE] ?? '';
  const files = await containerFiles({
    nonce,
    steps: [{ name: step, role: 'build', script: STAND_STILL }],
    directories: [],
  });
  await container.putArchive(files, { path: '/' });
  await container.putArchive(await stepFiles({ name: step, environment: {} }, info.State.StartedAt), { path: '/' });
  try {
    // Somebody else may have just opened a shell.
    await startedAnyhow(container.start());
  } catch (error) {
    if (isConflict(error)) throw gone('The network of this machine does not run any more; was the engine restarted?');
    throw error;
  }
}

/** Without a terminal the engine sends both streams through one connection. */
function demultiplexed(docker: Docker, connection: Duplex): { output: PassThrough; errors: PassThrough } {
  const output = new PassThrough();
  const errors = new PassThrough();
  (docker.modem as DemuxModem).demuxStream(connection, output, errors);
  connection.once('end', () => {
    output.end();
    errors.end();
  });
  connection.once('error', (error) => {
    output.destroy(error);
    errors.end();
  });
  return { output, errors };
}

/** dockerode does not type its modem. */
interface DemuxModem {
  demuxStream(source: Duplex, stdout: PassThrough, stderr: PassThrough): void;
}

function gone(message: string): MachineError {
  return new MachineError('MACHINE_GONE', message, { retryable: false });
}
