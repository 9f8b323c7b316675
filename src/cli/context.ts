import { loadConfig } from '../config/load.js';
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
  const { config, warnings } = loadConfig({ file: options.config });
  for (const warning of warnings) say(`warning: ${warning}`);
  const { createHoldfastClient } = await import('../client.js');
  const client = await createHoldfastClient(config);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** A pipe that was closed (`| head`) ends the output, not the command with an error. */
export async function writeOut(bytes: Uint8Array | string): Promise<void> {
  if (process.stdout.write(bytes)) return;
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
}
