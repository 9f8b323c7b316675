import type { Command } from 'commander';
import type { JobStatus } from '../client.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import type { Engine, ShellSession } from '../machines/engine.js';
import { say, withClient, type CommonOptions } from './context.js';
import { engineNamed, openEngines } from './engines.js';
import { UsageError } from './exit-codes.js';

export function addShell(program: Command): void {
  program
    .command('shell')
    .description('a shell in the build container of a job that runs or is held; exits as the shell did')
    .argument('<id>', 'workflow id or its last part')
    .argument('[command...]', 'instead of a shell, after --')
    .option('--config <file>', 'configuration')
    .action(async (id: string, command: string[], options: CommonOptions) => {
      const { config } = loadConfig({ file: options.config });
      const session = await withClient(options, async (client) => {
        const status = await (await client.job(id)).status();
        return await open(config, await openEngines(config, client), { status, command });
      });
      process.exitCode = await attach(session);
    });
}

async function open(
  config: Config,
  engines: readonly Engine[],
  { status, command }: { status: JobStatus; command: string[] },
): Promise<ShellSession> {
  const { machine, engine: name, workflowId, state, heldUntil } = status;
  if (machine === null || name === null) {
    throw new UsageError(`${workflowId} has no machine to look into: it is ${state}`);
  }
  const engine = engineNamed(engines, name);
  const builds = config.engines.find((settings) => settings.name === name)?.buildsDirectory ?? '/';
  const interactive = process.stdin.isTTY && process.stdout.isTTY;
  if (interactive) say(`Shell in machine ${machine}${heldUntil === null ? '' : `, held until ${heldUntil}`}.`);
  return await engine.openShell(
    machine,
    {
      command,
      directory: `${builds}/${status.project}`,
      wake: heldUntil !== null,
      ...(interactive ? { terminal: { ...terminalSize(), type: process.env['TERM'] ?? 'xterm' } } : {}),
    },
    {},
  );
}

/** Keys go in and output comes out until the command ends. */
async function attach(session: ShellSession): Promise<number> {
  const { stdin, stdout } = process;
  const interactive = session.errors === undefined;
  const resize = () => void session.resize(terminalSize()).catch(() => undefined); // a wrong size is no reason to end a shell
  if (interactive) {
    stdin.setRawMode(true);
    stdout.on('resize', resize);
  }
  stdin.pipe(session.input);
  session.errors?.pipe(process.stderr);
  try {
    for await (const chunk of session.output) stdout.write(chunk as Buffer);
    return await session.exitCode();
  } finally {
    if (interactive) stdin.setRawMode(false);
    stdout.off('resize', resize);
    stdin.unpipe(session.input).pause();
    stdin.unref();
  }
}

function terminalSize(): { columns: number; rows: number } {
  return { columns: process.stdout.columns, rows: process.stdout.rows };
}
