import type Docker from 'dockerode';
import { readSmallFiles } from './files.js';
import { stepDirectory } from './wrapper.js';

/** What a step has left in its container, durable over restarts of everything. */
export interface StepMarkers {
  started: boolean;
  exitCode: number | undefined;
  stopRequested: boolean;
}

export async function readMarkers(container: Docker.Container, step: string): Promise<StepMarkers> {
  const files = await readSmallFiles(container, stepDirectory(step), ['started', 'exit', 'stop']);
  const exit = files?.get('exit');
  return {
    started: files?.has('started') ?? false,
    exitCode: exit === undefined || !/^\d+$/.test(exit) ? undefined : Number(exit),
    stopRequested: files?.has('stop') ?? false,
  };
}
