import type { Command } from 'commander';
import type { LiveMachine } from '../client/machine-list.js';
import { loadConfig } from '../config/load.js';
import { describeOutage } from '../contracts/engine-outage.js';
import { inColumns } from './columns.js';
import { printJson, say, withClient, type CommonOptions } from './context.js';
import { openEngines } from './engines.js';

export function addMachines(program: Command): void {
  program
    .command('machines')
    .description('every live machine, its job, its age and why it lives; engines that take no jobs')
    .option('--json', 'print JSON')
    .option('--config <file>', 'configuration')
    .action(async (options: CommonOptions) => {
      const { config } = loadConfig({ file: options.config });
      const { listMachines } = await import('../client/machine-list.js');
      const { knownOutages } = await import('../client/waiting.js');
      const machines = await withClient(options, async (client) => {
        // First: an engine that takes no jobs may well be one that cannot say what runs on it.
        for (const outage of await knownOutages(client.store)) say(describeOutage(outage));
        return await listMachines(client, await openEngines(config, client));
      });
      if (options.json === true) printJson(machines);
      else process.stdout.write(table(machines));
    });
}

function table(machines: LiveMachine[]): string {
  if (machines.length === 0) return 'no machines\n';
  const rows = [
    ['MACHINE', 'ENGINE', 'AGE', 'JOB', 'WHY'],
    ...machines.map(({ machine, engine, ageSeconds, job, why }) => [machine, engine, age(ageSeconds), job ?? '', why]),
  ];
  return `${inColumns(rows)}\n`;
}

function age(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return `${String(hours)}h${String(minutes)}m`;
  return minutes > 0 ? `${String(minutes)}m${String(seconds % 60)}s` : `${String(seconds)}s`;
}
