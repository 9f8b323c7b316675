import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program on PATH, or where the set-up has put it. @throws Error saying how to get it */
export function findTool(name: string, stateDirectory: string): string {
  const path = process.env['PATH'] ?? '';
  const places = [
    ...path.split(delimiter),
    join(stateDirectory, 'bin'),
    join('.holdfast', 'bin'),
    '/usr/bin',
    '/usr/sbin',
  ];
  const found = places.map((place) => join(place, name)).find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(`${name} is neither on PATH nor in .holdfast/bin: "npm run setup" gets it`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
