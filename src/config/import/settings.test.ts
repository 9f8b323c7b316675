import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CONFIG_KEYS } from '../schema.js';
import { SETTINGS, settingOf, type Setting } from './settings.js';

const DOCS = readFileSync(new URL('../../../docs/gitlab.md', import.meta.url), 'utf8');

/** Cells of the tables between two marks, without the heading and the rule. */
function rowsBetween(begin: string, end: string): string[][] {
  const part = DOCS.slice(DOCS.indexOf(begin), DOCS.indexOf(end));
  return part
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

function rowOf({ key, to, note, apply }: Setting): string[] {
  const code = (text: string) => `\`${text}\``;
  if (to !== undefined) return [code(key), to.split(', ').map(code).join(', '), note ?? ''];
  if (apply !== undefined) return [code(key), '—', note ?? ''];
  return [code(key), 'not supported', `because ${note ?? ''}`];
}

describe('the settings of a config.toml', () => {
  it('are in docs/gitlab.md as they are in the code, one for one', () => {
    expect(rowsBetween('<!-- settings: begin -->', '<!-- settings: end -->')).toEqual(SETTINGS.map(rowOf));
  });

  it('are each there once, and none without a target or a reason', () => {
    expect(new Set(SETTINGS.map(({ key }) => key)).size).toBe(SETTINGS.length);
    expect(SETTINGS.filter(({ to, note }) => to === undefined && note === undefined)).toEqual([]);
  });

  it('go to keys that the configuration has', () => {
    const lost = SETTINGS.flatMap(({ to }) => to?.split(', ') ?? []).filter((target) => {
      const path = target.replaceAll('[]', '').split('.');
      const parent = path.slice(0, -1).join('.');
      return path.length > 1 && !(CONFIG_KEYS[parent] ?? []).includes(path.at(-1) ?? '');
    });

    expect(lost).toEqual([]);
  });

  it('are found by their path, also under a name of the user', () => {
    expect(settingOf('runners.docker.memory')?.to).toBe('engines[].memory');
    expect(settingOf('runners.feature_flags.FF_X')?.key).toBe('runners.feature_flags.*');
    expect(settingOf('runners.docker.memory_x')).toBeUndefined();
  });
});
