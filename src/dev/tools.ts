import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the set-up puts what the system lacks: beside the program, wherever it is called from. */
const OWN_TOOLS = fileURLToPath(new URL('../../.holdfast/bin', import.meta.url));

/** A program on PATH, or where the set-up has put it. @throws Error saying how to get it */
export function findTool(name: string, stateDirectory: string): string {
  const path = process.env['PATH'] ?? '';
  const places = [...path.split(delimiter), join(stateDirectory, 'bin'), OWN_TOOLS, '/usr/bin', '/usr/sbin'];
  const found = places
    .filter((place) => place !== '')
    .map((place) => join(place, name))
    .find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(`${name} is neither on PATH nor in ${OWN_TOOLS}: "npm run setup" gets it`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
