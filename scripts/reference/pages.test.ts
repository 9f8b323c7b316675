import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.js';
import { parseConfig } from '../../src/config/load.js';
import { FAILURE_CODES } from '../../src/contracts/faults.js';
import { FAILURE_REASONS } from '../../src/contracts/names.js';
import { referencePages } from './pages.js';

describe('the reference', () => {
  it('is what the code says ("npm run reference" writes it)', async () => {
    for (const [file, text] of Object.entries(await referencePages())) {
      expect(readFileSync(file, 'utf8'), file).toBe(text);
    }
  });

  it('has every code of the sources and no other', () => {
    const firstCells = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| +`?([A-Za-z_0-9]+)`? +\|/gm)].map(
      ([, cell]) => cell,
    );
    const documented = firstCells.filter((cell) => !['code', 'reason'].includes(cell ?? ''));

    expect(documented.toSorted()).toEqual(
      [...Object.keys(FAILURE_CODES), ...FAILURE_REASONS, ...Object.values(EXIT).map(String)].toSorted(),
    );
  });
});

describe('the pages', () => {
  const pages = [
    ...readdirSync('.').filter((file) => file.endsWith('.md')),
    ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.md'))
      .map((file) => join('docs', file)),
  ];

  it.each(pages)('%s links to files that are there', (page) => {
    const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(
      ([, link]) => link ?? '',
    );
    const local = links.filter((link) => !/^[a-z]+:/.test(link));

    expect(local.filter((link) => !existsSync(join(dirname(page), link)))).toEqual([]);
  });

  it.each(pages)('%s shows configurations that are valid', (page) => {
    const blocks = [...readFileSync(page, 'utf8').matchAll(/^```yaml\n# holdfast\.yaml\n([\s\S]*?)^```$/gm)];

    for (const [, block] of blocks) expect(() => parseConfig(parse(block ?? ''), page)).not.toThrow();
  });
});
