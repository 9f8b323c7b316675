import type { Command } from 'commander';
import type { DevStack } from '../dev/dev-stack.js';
import { say } from './context.js';

interface DevCommandOptions {
  config?: string;
  state: string;
  ports?: string;
}

export function addDev(program: Command): void {
  program
    .command('dev')
    .description('everything on one machine: Temporal, Prometheus, a worker; state in .holdfast/')
    .option('--config <file>', 'configuration; addresses are filled in')
    .option('--state <directory>', 'where the state is', '.holdfast')
    .option('--ports <first>', 'first of a row of ports to use, or "auto"')
    .action(dev);
}

async function dev(options: DevCommandOptions): Promise<void> {
  const { startDev } = await import('../dev/dev-stack.js');
  const interrupted = new AbortController();
  const stop = new Promise<void>((resolve) => interrupted.signal.addEventListener('abort', () => resolve()));
  const again = onStopSignals(() => interrupted.abort());
  let stack: DevStack;
  try {
    stack = await startDev({
      stateDirectory: options.state,
      ...(options.config === undefined ? {} : { configFile: options.config }),
      ...(options.ports === undefined ? {} : { ports: options.ports }),
      say,
      signal: interrupted.signal,
    });
  } catch (error) {
    if (interrupted.signal.aborted) return;
    throw error;
  }
  announce(stack);
  await stop;
  say('Stopping; scripts that run go on, and so do their jobs at the next start. Ctrl-C again to stop at once.');
  await Promise.race([stack.stop(), again.then(() => stack.stop({ hard: true }))]);
}

/** The addresses are what a script reads; all else is for a person. */
function announce(stack: DevStack): void {
  process.stdout.write(`job pages       ${stack.web}
Temporal UI     ${stack.temporalUi}
Temporal        ${stack.temporal}
Prometheus      ${stack.prometheus}
worker metrics  ${stack.workerMetrics}
configuration   ${stack.configFile}
`);
  say('Running. Ctrl-C stops everything; jobs go on at the next start.');
}

/** @returns what resolves at the second signal */
function onStopSignals(first: () => void): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = () => {
      signals += 1;
      if (signals === 1) first();
      else resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
