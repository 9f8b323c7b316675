import { describe, expect, it } from 'vitest';
import { isBuildsVolumeAlone } from './unpack-place.js';

const PLACE = { directory: '/builds/acme/widget', buildsDirectory: '/builds' };
const volume = { Type: 'volume', Destination: '/builds' };
const bind = (Destination: string) => ({ Type: 'bind', Destination });

describe('the place to unpack archives', () => {
  it.each([
    ['the builds volume alone', [volume], true],
    [
      'the builds volume, and mounts elsewhere',
      [volume, bind('/cache'), bind('/builds2'), bind('/builds/acme/widgets')],
      true,
    ],
    ['a directory of the host over the builds directory', [bind('/builds')], false],
    ['a mount in the project', [volume, bind('/builds/acme/widget/node_modules')], false],
    ['a mount over the project', [volume, bind('/builds/acme')], false],
    ['a volume at another place', [{ Type: 'volume', Destination: '/builds/acme' }], false],
    ['nothing', [], false],
  ])('is the sandbox with %s: %s', (_what, mounts, alone) => {
    expect(isBuildsVolumeAlone(mounts, PLACE)).toBe(alone);
  });
});
