import type { Command } from 'commander';
import type { JobFlight } from '../client.js';
import { oneLine } from '../metrics/units.js';
import { jobKeys } from '../store/keys.js';
import { printJson, say, withClient, type CommonOptions } from './context.js';
import { EXIT } from './exit-codes.js';
import { describeLife } from './show-life.js';

export function addShow(program: Command): void {
  program
    .command('show')
    .description('a job: state, steps with times, machine, attempts, artifacts, metrics, and its whole life')
    .argument('<id>', 'workflow id or its last part')
    .option('--json', 'print JSON')
    .option('--config <file>', 'configuration')
    .action(async (id: string, options: CommonOptions) => {
      const status = await withClient(options, async (client) => {
        const known = await (await client.job(id)).flight();
        // The store knows more than the workflow while a step still prints.
        return { ...known, traceBytes: (await client.store.size(jobKeys.trace(known.workflowId))) ?? known.traceBytes };
      });
      // What is left is still told.
      if (status.unknownKey !== undefined) {
        say(`holdfast: ${status.summary}`);
        process.exitCode = EXIT.usage;
      }
      if (options.json === true) printJson(status);
      else process.stdout.write(`${describe(status)}life, in seconds since it was queued\n${describeLife(status)}`);
    });
}

function describe(status: JobFlight): string {
  const facts: [string, string | null][] = [
    ['job', status.workflowId],
    ['name', status.name],
    ['state', status.state],
    ['summary', status.summary],
    [
      'reason',
      status.failureReason === null
        ? null
        : `${status.failureReason}${status.failureMessage === null ? '' : ` (${status.failureMessage})`}`,
    ],
    ['fault', status.fault],
    ['exit code', status.exitCode === null ? null : String(status.exitCode)],
    [
      'machine',
      status.machine === null
        ? null
        : `${status.machine} on engine ${status.engine ?? '?'}${status.attempts > 1 ? `, the job's ${String(status.attempts)}. machine` : ''}`,
    ],
    ['image', status.image],
    ['queued', status.queuedAt],
    ['started', status.startedAt],
    ['finished', status.finishedAt],
    ['held', status.heldUntil === null ? null : `until ${status.heldUntil}`],
    ['trace', `${String(status.traceBytes)} bytes`],
    ['metrics', `${status.metrics}${status.metricsReason === null ? '' : ` (${status.metricsReason})`}`],
  ];
  const head = facts
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(10)} ${oneLine(value ?? '')}\n`);
  const steps = status.steps.map((step) => {
    const took =
      step.startedAt === null || step.finishedAt === null
        ? ''
        : `${((Date.parse(step.finishedAt) - Date.parse(step.startedAt)) / 1000).toFixed(1)} s`;
    const again = step.attempts > 1 ? `, delivered ${String(step.attempts)} times, run once` : '';
    return `  ${step.name.padEnd(20)} ${step.state.padEnd(9)} ${took}${again}\n`;
  });
  const artifacts = status.artifacts.map(
    (artifact) =>
      `  ${oneLine(artifact.name)} (${artifact.type}, ${String(artifact.files)} files, ${String(artifact.bytes)} bytes)\n`,
  );
  return [
    ...head,
    ...(steps.length === 0 ? [] : ['steps\n', ...steps]),
    ...(artifacts.length === 0 ? [] : ['artifacts\n', ...artifacts]),
  ].join('');
}
