import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

/** How a command of ours ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `holdfast` as a person would, in a process of its own. */
export async function holdfast(args: readonly string[], options: { cwd?: string } = {}): Promise<Ended> {
  return await new Promise((done) => {
    const child = execFile(
      process.execPath,
      [resolve('bin/holdfast'), ...args],
      { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options },
      (_error, stdout, stderr) => done({ code: child.exitCode, stdout, stderr }),
    );
  });
}
