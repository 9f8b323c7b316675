import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { HoldfastClient, JobHandle } from '../client.js';
import type { CiJobResult } from '../contracts/ci-job.js';
import { parseDuration } from '../job/durations.js';
import { MAX_HOLD_MS } from '../job/hold-on-failure.js';
import { printJson, say, withClient, writeOut, type CommonOptions } from './context.js';
import { EXIT, exitCodeOf, UsageError } from './exit-codes.js';
import { sayWhyItWaits } from './say-why-it-waits.js';

interface RunOptions extends CommonOptions {
  var: string[];
  id?: string;
  detach?: boolean;
  holdOnFailure?: string;
}

export function addRun(program: Command): void {
  program
    .command('run')
    .description('start a job, follow its trace, exit as the job did')
    .argument('<job.yml>', 'job file, or - for standard input')
    .option(
      '--var <K=V>',
      'set a variable; may be given several times',
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option('--id <id>', 'last part of the workflow id')
    .option('--detach', 'do not wait; print the workflow id')
    .option('--hold-on-failure <time>', 'keep the machine for so long after a failure, e.g. 30m')
    .option('--json', 'print the result as JSON; the trace goes to stderr')
    .option('--config <file>', 'configuration')
    .action(async (file: string, options: RunOptions) => {
      const job = await readJob(file);
      process.exitCode = await withClient(options, (client) => run(client, job, options));
    });
}

/** @throws UsageError naming every problem, each with its line */
async function readJob(file: string): Promise<unknown> {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new UsageError(`The job file ${file} cannot be read`, { cause });
  }
  const { readJobFile } = await import('../job/parse-yaml.js');
  const read = readJobFile(text);
  if (read.ok) return read.value;
  const lines = read.problems.map(
    ({ line, path, message }) => `  ${line === undefined ? '' : `line ${String(line)}: `}${path}: ${message}`,
  );
  throw new UsageError(`${file} is not a valid job:\n${lines.join('\n')}`);
}

async function run(client: HoldfastClient, job: unknown, options: RunOptions): Promise<number> {
  const holdOnFailureMs = options.holdOnFailure === undefined ? undefined : parseDuration(options.holdOnFailure);
  if (options.holdOnFailure !== undefined && holdOnFailureMs === undefined) {
    throw new UsageError(`--hold-on-failure "${options.holdOnFailure}" is no time such as 30m or 1h`);
  }
  if (holdOnFailureMs !== undefined && holdOnFailureMs > MAX_HOLD_MS) {
    say(`--hold-on-failure "${String(options.holdOnFailure)}" counts as 24h, the longest hold there is`);
  }
  const handle = await client.startJob(job, {
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(holdOnFailureMs === undefined ? {} : { holdOnFailureMs }),
    variables: parseVariables(options.var),
  });
  if (options.detach === true) {
    if (options.json === true) printJson({ id: handle.id, workflowId: handle.workflowId });
    else process.stdout.write(`${handle.workflowId}\n`);
    return EXIT.success;
  }
  say(`job ${handle.workflowId}`);
  return await follow(handle, options);
}

async function follow(handle: JobHandle, options: RunOptions): Promise<number> {
  const detached = cancelOnInterrupt(handle);
  const over = new AbortController();
  void sayWhyItWaits(handle, { say, signal: over.signal });
  const outcome = handle.result();
  // Waited for below; a failure while the trace is still read must not be unhandled.
  outcome.catch(() => undefined);
  const result = await Promise.race([finished(handle, outcome, options), detached]).finally(() => over.abort());
  if (result === 'detached') {
    say(`Detached; the job goes on. holdfast trace ${handle.id} --follow shows the rest.`);
    return EXIT.canceled;
  }
  if (options.json === true) printJson({ id: handle.id, ...result });
  else if (result.state !== 'success')
    say(
      `job ${result.state}${result.failureReason === null ? '' : ` (${result.failureReason})`}${result.failureMessage === null ? '' : `: ${result.failureMessage}`}`,
    );
  return exitCodeOf(result);
}

async function finished(handle: JobHandle, outcome: Promise<CiJobResult>, options: RunOptions): Promise<CiJobResult> {
  for await (const chunk of handle.trace()) {
    if (options.json === true) process.stderr.write(chunk);
    else await writeOut(chunk);
  }
  return await outcome;
}

/** The first Ctrl-C cancels, and the trace goes on with after_script; the second leaves. */
function cancelOnInterrupt(handle: JobHandle): Promise<'detached'> {
  return new Promise((resolve) => {
    let interrupted = false;
    process.on('SIGINT', () => {
      if (interrupted) {
        resolve('detached');
        return;
      }
      interrupted = true;
      say('Canceling; after_script still runs. Ctrl-C again to leave.');
      handle.cancel('Ctrl-C').catch((error: unknown) => say(`The job could not be canceled: ${String(error)}`));
    });
  });
}

export function parseVariables(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const equals = text.indexOf('=');
      const key = text.slice(0, equals);
      if (equals === -1 || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) {
        throw new UsageError(`--var "${text}" is not NAME=value`);
      }
      return [key, text.slice(equals + 1)];
    }),
  );
}
