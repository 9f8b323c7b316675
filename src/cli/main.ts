import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.js';
import { addCancel } from './cancel.js';
import { addCheck } from './check.js';
import { addDev } from './dev.js';
import { EXIT, exitCodeOfError } from './exit-codes.js';
import { addJobs } from './jobs.js';
import { addMachines } from './machines.js';
import { addMetrics } from './metrics.js';
import { addImportConfig } from './import-config.js';
import { addRegister } from './register.js';
import { addRelease } from './release.js';
import { addRun } from './run.js';
import { addShell } from './shell.js';
import { addShow } from './show.js';
import { addTrace } from './trace.js';
import { addUsage } from './usage.js';
import { addWorker } from './worker.js';

/** @returns the exit code; everything that a command could not do is one message on stderr */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('holdfast')
    .description('A durable CI runner: every job is a Temporal workflow')
    .version(VERSION)
    .showHelpAfterError('(--help shows what there is)')
    // Each command has options of its own, also where one stands below another ("metrics replay").
    .enablePositionalOptions()
    .exitOverride();
  for (const add of [
    addDev,
    addWorker,
    addRun,
    addJobs,
    addShow,
    addTrace,
    addCancel,
    addMachines,
    addShell,
    addRelease,
    addMetrics,
    addUsage,
    addCheck,
    addRegister,
    addImportConfig,
  ])
    add(program);
  for (const command of program.commands) inheritExit(command);
  // A closed pipe (`| head`) is the reader's decision and no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.success);
    throw error;
  });
  try {
    await program.parseAsync(argv);
    return Number(process.exitCode ?? EXIT.success);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage;
    process.stderr.write(`holdfast: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodeOfError(error);
  }
}

function inheritExit(command: Command): void {
  command.exitOverride();
  for (const sub of command.commands) inheritExit(sub);
}
