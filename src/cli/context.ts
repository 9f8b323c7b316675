import { loadConfig } from '../config/load.js';
import { runningDev } from '../dev/dev-state.js';
import type { HoldfastClient } from '../client.js';

export interface CommonOptions {
  config?: string;
  json?: boolean;
}

/** What a person should read; never on stdout, which carries data. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Runs a command's work with a client, and closes it. Loaded late: `--help` and mistakes should not wait for Temporal's SDK. */
export async function withClient<T>(options: CommonOptions, work: (client: HoldfastClient) => Promise<T>): Promise<T> {
  const { config, file, warnings } = loadConfig({ file: options.config });
  for (const warning of warnings) say(`warning: ${warning}`);
  const { createHoldfastClient } = await import('../client.js');
  const client = await createHoldfastClient(config).catch((error: unknown) => {
    hintAtRunningDev(error, file);
    throw error;
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** A configuration that lies here outranks the stack which runs here, and may name another place. */
function hintAtRunningDev(error: unknown, file: string | undefined): void {
  const running = error instanceof Error && error.name === 'UnreachableError' ? runningDev(process.cwd()) : undefined;
  if (running === undefined || running.configFile === file) return;
  say(`"holdfast dev" runs here on other addresses than ${file ?? 'the defaults'}: --config ${running.configFile}`);
}

/** A pipe that was closed (`| head`) ends the output, not the command with an error. */
export async function writeOut(bytes: Uint8Array | string): Promise<void> {
  if (process.stdout.write(bytes)) return;
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
}
