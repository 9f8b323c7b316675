import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';
import { findTool } from '../src/dev/tools.js';

/** What figures depend on besides the code. */
export function describeMachine(): Record<string, unknown> {
  return {
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    docker: firstLine('docker', 'version', '--format', '{{.Server.Version}}'),
    temporal: firstLine(findTool('temporal', '.holdfast'), '--version'),
    prometheus: firstLine(findTool('prometheus', '.holdfast'), '--version'),
    // More than the cores: others are at work, and only ratios can be trusted.
    loadAtStart: loadavg()[0],
  };
}

function firstLine(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).split('\n')[0] ?? '';
}
