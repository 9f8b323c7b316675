import { parseArgs } from 'node:util';
import { createBench } from './bench.js';
import { describeMachine } from './machine.js';
import { MEASUREMENTS } from './measurements/index.js';
import { aimsTable, toEntry, type Report } from './report.js';

const USAGE = `npm run bench -- [--only NAME]… [--rounds N] [--list]

One JSON document on stdout, what is for people on stderr. Rounds: how often each thing is measured, in turn with what it is
compared with (default: each measurement's own number).

${MEASUREMENTS.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n')}
`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (typeof options === 'string') {
    say(options);
    return options === USAGE ? 0 : 64;
  }
  const report: Report = {
    version: 1,
    startedAt: new Date().toISOString(),
    machine: describeMachine(),
    measurements: {},
    failures: {},
  };
  const bench = createBench({ rounds: options.rounds, say });
  // Ctrl-C must not leave containers and servers behind.
  const interrupted = new Promise<'interrupted'>((resolve) => process.once('SIGINT', () => resolve('interrupted')));
  try {
    for (const measurement of MEASUREMENTS.filter(({ name }) => options.only.includes(name))) {
      say(`\n${measurement.name}: ${measurement.about}`);
      try {
        const findings = await Promise.race([measurement.run(bench), interrupted]);
        if (findings === 'interrupted') return 130;
        report.measurements[measurement.name] = toEntry(findings);
      } catch (error) {
        report.failures[measurement.name] = error instanceof Error ? error.message : String(error);
        say(error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
    }
  } finally {
    await bench.close();
  }
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  say(`\n${aimsTable(report)}`);
  return Object.keys(report.failures).length === 0 ? 0 : 1;
}

function readOptions(args: string[]): { only: string[]; rounds: number | undefined } | string {
  const names = MEASUREMENTS.map(({ name }) => name);
  try {
    const { values } = parseArgs({
      args,
      options: {
        only: { type: 'string', multiple: true },
        rounds: { type: 'string' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.list === true || values.help === true) return USAGE;
    const unknown = (values.only ?? []).find((name) => !names.includes(name));
    if (unknown !== undefined) return `--only ${unknown}: there is ${names.join(', ')}`;
    const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
    if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) return '--rounds must be a number from 1';
    return { only: values.only ?? names, rounds };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
