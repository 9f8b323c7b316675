import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { entryNameFor, withGitlabEntry } from './gitlab-entry.js';
import { ConfigError } from './load.js';

const ENTRY = { name: 'main', url: 'https://gitlab.example', tokenFile: '/etc/holdfast/gitlab-main.token' };

const COMMENTED = `# Our runners. Ask Ann before you change them.
temporal: { address: 10.0.0.1:7233 } # the old cluster

engines:
  # fast disks
  - name: local
    capacity: 8   # eight cores

gitlab:
  # the old one
  - name: old
    url: https://old.example
    token: glrt-plain # to be moved
    limit: 3

log:
  level: debug
`;

describe('an entry for a GitLab', () => {
  it('is added, and every comment and everything else stays', () => {
    const changed = withGitlabEntry(COMMENTED, ENTRY, 'f');

    const comments = COMMENTED.match(/#.*/g) ?? [];
    expect(changed.match(/#.*/g)).toEqual(comments);
    const before = parse(COMMENTED) as { gitlab: unknown[] };
    expect(parse(changed)).toEqual({ ...before, gitlab: [...before.gitlab, ENTRY] });
    for (const line of ['temporal: { address: 10.0.0.1:7233 } # the old cluster', '  # fast disks', '    limit: 3'])
      expect(changed.split('\n')).toContain(line);
  });

  it('of a known name is renewed; its other settings stay, a plain token goes', () => {
    const changed = parse(withGitlabEntry(COMMENTED, { ...ENTRY, name: 'old' }, 'f')) as { gitlab: unknown[] };

    expect(changed.gitlab).toEqual([{ ...ENTRY, name: 'old', limit: 3 }]);
  });

  it('makes the first configuration', () => {
    expect(parse(withGitlabEntry('', ENTRY, 'f'))).toEqual({ gitlab: [ENTRY] });
    expect(withGitlabEntry('gitlab: []\n', ENTRY, 'f')).toContain('- name: main\n');
  });

  it('twice is the same as once', () => {
    fc.assert(
      fc.property(fc.constantFrom('', COMMENTED, 'gitlab:\n', 'gitlab: []\n', '{ gitlab: [] }\n'), (text) => {
        const once = withGitlabEntry(text, ENTRY, 'f');
        expect(withGitlabEntry(once, ENTRY, 'f')).toBe(once);
      }),
    );
  });

  it.each([
    ['gitlab: 7\n', /must be a list/],
    ['- a\n', /must be a mapping/],
    ['a: [\n', /is not YAML/],
    ['nonsense: 1\n', /unknown key/],
  ])('is not written into what is no configuration: %j', (text, message) => {
    expect(() => withGitlabEntry(text, ENTRY, 'f')).toThrow(ConfigError);
    expect(() => withGitlabEntry(text, ENTRY, 'f')).toThrow(message);
  });
});

describe('the name of a new entry', () => {
  it('is that of the entry with its URL, or main, or the host', () => {
    const main = { name: 'main', url: 'https://gitlab.example/' };

    expect(entryNameFor('https://gitlab.example', [main])).toBe('main');
    expect(entryNameFor('https://other.example', [])).toBe('main');
    expect(entryNameFor('https://Other.example:8443', [main])).toBe('other.example');
    expect(entryNameFor('https://other.example:1', [main, { name: 'other.example', url: 'x' }])).toBe(
      'other.example-2',
    );
  });
});
