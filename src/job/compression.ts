import type { ResolvedVariables } from './variables.js';

/** Words of GitLab's `ARTIFACT_COMPRESSION_LEVEL` and `CACHE_COMPRESSION_LEVEL`, as levels of deflate; 0 only stores. */
const LEVELS: ReadonlyMap<string, number> = new Map([
  ['fastest', 0],
  ['fast', 1],
  ['default', 5],
  ['slow', 7],
  ['slowest', 9],
]);

/** How hard archives are compressed, 0 to 9. Absent: as whoever packs them thinks best. */
export interface Compression {
  artifacts?: number;
  caches?: number;
}

/** @param warnings gets one for each word that says nothing */
export function compressionOf(variables: Pick<ResolvedVariables, 'content'>, warnings: string[]): Compression {
  const level = (variable: string): number | undefined => {
    const word = variables.content(variable)?.trim().toLowerCase();
    if (word === undefined || word === '') return undefined;
    const known = LEVELS.get(word);
    if (known === undefined)
      warnings.push(`${variable}: "${word}" is none of ${[...LEVELS.keys()].join(', ')}; left at its default`);
    return known;
  };
  const [artifacts, caches] = [level('ARTIFACT_COMPRESSION_LEVEL'), level('CACHE_COMPRESSION_LEVEL')];
  return { ...(artifacts === undefined ? {} : { artifacts }), ...(caches === undefined ? {} : { caches }) };
}
