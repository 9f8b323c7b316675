import type Docker from 'dockerode';
import { LABEL_SANDBOX } from './names.js';

/**
 * The container through which an archive is unpacked below the builds directory. The engine unpacks as the superuser and follows links
 * that are there already, such as one that a repository holds; so that they lead nowhere it is the sandbox, which has the builds volume
 * and nothing else of the job. Where the operator has mounted something over the builds directory, or in the project, only the build
 * container has it.
 */
export async function unpackPlace(
  docker: Docker,
  build: Docker.Container,
  place: { directory: string; buildsDirectory: string },
): Promise<Docker.Container> {
  const { Config, Mounts } = await build.inspect();
  const sandbox = Config.Labels[LABEL_SANDBOX];
  if (sandbox === undefined || !isBuildsVolumeAlone(Mounts, place)) return build;
  return docker.getContainer(sandbox);
}

interface Mount {
  Type?: string;
  Destination: string;
}

/** What is at and below the directory is the machine's own volume, and no other mount is in the way. */
export function isBuildsVolumeAlone(
  mounts: readonly Mount[],
  { directory, buildsDirectory }: { directory: string; buildsDirectory: string },
): boolean {
  const touching = mounts.filter(
    ({ Destination: at }) => isWithin(directory, at) || isWithin(at, directory) || at === buildsDirectory,
  );
  const [only] = touching;
  return touching.length === 1 && only?.Type === 'volume' && only.Destination === buildsDirectory;
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory.replace(/\/+$/, '')}/`);
}
