import { isDeepStrictEqual } from 'node:util';
import { parse, TomlError } from 'smol-toml';
import { parseConfig } from '../load.js';
import { createPlace, type Draft, type Place } from './draft.js';
import { settingOf } from './settings.js';
import { accepted, isUnset, ValueError } from './values.js';

/** Something of the config.toml that is not in ours, and why. */
export interface LeftOut {
  /** `runners[0].docker.links` */
  path: string;
  why: string;
}

export interface Imported {
  /** Ready to be written as YAML; token files are named, not written. */
  config: Record<string, unknown>;
  tokens: { entry: string; file: string; token: string }[];
  leftOut: LeftOut[];
}

export class ImportError extends Error {
  override readonly name = 'UsageError';
}

/**
 * gitlab-runner's config.toml as a configuration of ours.
 * @param options.tokenFile where an entry's token will be
 * @throws ImportError when it is no TOML; ConfigError when what comes out would not be valid
 */
export function importToml(text: string, options: { tokenFile: (entry: string) => string }): Imported {
  const toml = parseToml(text);
  const leftOut: LeftOut[] = [];
  const draft = createDraft();
  const { runners, ...rest } = toml;
  walk(rest, '', '', createPlace(), draft, leftOut);
  const places = tablesOf(runners).map((table, index) => {
    const place = createPlace();
    walk(table, 'runners', `runners[${String(index)}]`, place, draft, leftOut);
    return place;
  });
  const imported = assemble(draft, places, options.tokenFile, leftOut);
  parseConfig(imported.config, 'What was imported');
  return imported;
}

function parseToml(text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    const where = error instanceof TomlError ? ` (line ${String(error.line)})` : '';
    const [first = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new ImportError(`The file is not TOML${where}: ${first}`);
  }
}

function tablesOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter((item): item is Record<string, unknown> => isTable(item)) : [];
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** @param path in the words of `SETTINGS` @param shown with the number of the entry */
function walk(
  table: Record<string, unknown>,
  path: string,
  shown: string,
  place: Place,
  draft: Draft,
  leftOut: LeftOut[],
): void {
  for (const [key, value] of Object.entries(table)) {
    const inner = path === '' ? key : `${path}.${key}`;
    const innerShown = shown === '' ? key : `${shown}.${key}`;
    const setting = settingOf(inner);
    if ((setting?.unset ?? isUnset)(value)) continue;
    if (setting?.apply !== undefined) {
      const why = reasonAgainst(() => setting.apply?.(value, place, draft));
      if (why !== undefined) leftOut.push({ path: innerShown, why });
    } else if (setting !== undefined) leftOut.push({ path: innerShown, why: setting.note ?? 'not supported' });
    else if (isTable(value)) walk(value, inner, innerShown, place, draft, leftOut);
    else if (tablesOf(value).length > 0)
      tablesOf(value).forEach((item, index) =>
        walk(item, inner, `${innerShown}[${String(index)}]`, place, draft, leftOut),
      );
    else leftOut.push({ path: innerShown, why: 'it is no setting of the Docker executor that Holdfast knows' });
  }
}

function reasonAgainst(apply: () => void): string | undefined {
  try {
    apply();
    return undefined;
  } catch (error) {
    if (error instanceof ValueError) return error.message;
    throw error;
  }
}

function createDraft(): Draft {
  const metrics = new Map<string, unknown>();
  function metric(key: string, value: unknown): void {
    const known = metrics.get(key);
    if (known !== undefined && !isDeepStrictEqual(known, value))
      throw new ValueError(`there is one for all entries, and an earlier entry has another (metrics.${key})`);
    metrics.set(key, accepted('metrics', key, value));
  }
  function query(text: string): void {
    const colon = text.indexOf(':');
    if (colon <= 0) throw new ValueError(`the query "${text.slice(0, 60)}" is not name:promql`);
    const queries = (metrics.get('queries') ?? {}) as Record<string, string>;
    const name = text.slice(0, colon);
    const promql = text.slice(colon + 1);
    if (queries[name] !== undefined && queries[name] !== promql)
      throw new ValueError(`there is one set of queries for all entries, and "${name}" is another one already`);
    accepted('metrics', 'queries', { [name]: promql });
    metrics.set('queries', { ...queries, [name]: promql });
  }
  return {
    concurrent: undefined,
    top: new Map(),
    metrics,
    metric,
    queries(texts) {
      const reasons = texts.flatMap((text) => reasonAgainst(() => query(text)) ?? []);
      if (reasons.length > 0) throw new ValueError(reasons.join('; '));
    },
  };
}

function assemble(draft: Draft, places: Place[], tokenFile: (entry: string) => string, leftOut: LeftOut[]): Imported {
  const capacity = draft.concurrent ?? 1;
  const engines: { name: string; place: Place }[] = [];
  const gitlab: Record<string, unknown>[] = [];
  const tokens: Imported['tokens'] = [];
  const names = new Set<string>();
  places.forEach((place, index) => {
    if (place.executor !== 'docker') {
      leftOut.push({ path: `runners[${String(index)}]`, why: `its executor is "${place.executor}", not "docker"` });
      return;
    }
    if (!place.entry.has('url')) {
      leftOut.push({ path: `runners[${String(index)}]`, why: 'without a URL that can be used there is no entry' });
      return;
    }
    if (place.docker.has('ca') && !place.tlsVerify) {
      leftOut.push({
        path: `runners[${String(index)}].docker.tls_verify`,
        why: "it is off, and here the certificate of the engine is always verified: against the directory's ca.pem",
      });
    }
    const name = uniqueName(place.entry.get('name'), names);
    const engine = engineFor(place, engines, name);
    if (place.token !== undefined) tokens.push({ entry: name, file: tokenFile(name), token: place.token });
    gitlab.push({
      ...Object.fromEntries(place.entry),
      name,
      ...(place.token === undefined ? {} : { tokenFile: tokenFile(name) }),
      limit: place.limit > 0 ? place.limit : capacity,
      ...(engine === 'local' ? {} : { pool: engine }),
    });
  });
  if (engines.length > 1) {
    leftOut.push({
      path: 'concurrent',
      why: `it holds for each of ${String(engines.length)} engines, which have different settings; together they may run more`,
    });
  }
  return {
    config: {
      ...Object.fromEntries(draft.top),
      ...(draft.metrics.size === 0 ? {} : { metrics: Object.fromEntries(draft.metrics) }),
      ...(engines.length === 0 ? {} : { engines: engines.map((engine) => engineConfig(engine, capacity)) }),
      ...(gitlab.length === 0 ? {} : { gitlab }),
    },
    tokens,
    leftOut,
  };
}

/** Entries with the same Docker settings share an engine, as they share the daemon. */
function engineFor(place: Place, engines: { name: string; place: Place }[], entry: string): string {
  const known = engines.find(
    (other) =>
      isDeepStrictEqual(other.place.engine, place.engine) && isDeepStrictEqual(other.place.docker, place.docker),
  );
  if (known !== undefined) return known.name;
  const name = engines.length === 0 ? 'local' : entry;
  engines.push({ name, place });
  return name;
}

function engineConfig({ name, place }: { name: string; place: Place }, capacity: number): Record<string, unknown> {
  const settings = Object.fromEntries(place.engine);
  return {
    name,
    ...(place.docker.size === 0 ? {} : { docker: Object.fromEntries(place.docker) }),
    capacity,
    ...(name === 'local' ? {} : { pools: [name] }),
    // gitlab-runner pulls always unless told otherwise.
    ...(settings['pullPolicy'] === undefined ? { pullPolicy: ['always'] } : {}),
    // There services are privileged with the build unless they are named apart…
    ...(settings['privileged'] === true ? { servicesPrivileged: true } : {}),
    // …and have none of its security options.
    ...(settings['securityOpt'] === undefined ? {} : { servicesSecurityOpt: [] }),
    ...settings,
  };
}

function uniqueName(given: unknown, taken: Set<string>): string {
  const text = typeof given === 'string' ? given : 'main';
  const slug =
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9_.-]+/g, '-')
      .replace(/^[^a-z0-9]+|-+$/g, '')
      .slice(0, 36) || 'main';
  let name = slug;
  for (let count = 2; taken.has(name); count++) name = `${slug}-${String(count)}`;
  taken.add(name);
  return name;
}
