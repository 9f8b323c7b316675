import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { IMAGE } from './bench.js';

export interface RawRun {
  seconds: number;
  firstByteSeconds: number | undefined;
  bytes: number;
}

/** The reference: `docker run --rm` of the same image, as a person would type it. @throws Error with what docker said */
export async function dockerRun(...command: string[]): Promise<RawRun> {
  const startedAt = performance.now();
  const child = spawn('docker', ['run', '--rm', IMAGE, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let firstByteSeconds: number | undefined;
  let bytes = 0;
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    firstByteSeconds ??= secondsSince(startedAt);
    bytes += chunk.length;
  });
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`docker run ended with ${String(code)}: ${complaint.trim()}`);
  return { seconds: secondsSince(startedAt), firstByteSeconds, bytes };
}

export function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}

/** @returns the id of a container that was created and not started */
export async function dockerCreated(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', ['create', ...args]);
  return stdout.trim();
}
