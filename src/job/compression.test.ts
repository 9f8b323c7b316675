import { expect, it } from 'vitest';
import { compressionOf } from './compression.js';

function of(variables: Record<string, string>) {
  const warnings: string[] = [];
  return { compression: compressionOf({ content: (name) => variables[name] }, warnings), warnings };
}

it.each([
  ['fastest', 0],
  ['fast', 1],
  ['default', 5],
  [' Slow ', 7],
  ['slowest', 9],
])('GitLab\'s word "%s" is level %i of deflate', (word, level) => {
  expect(of({ ARTIFACT_COMPRESSION_LEVEL: word })).toEqual({ compression: { artifacts: level }, warnings: [] });
  expect(of({ CACHE_COMPRESSION_LEVEL: word })).toEqual({ compression: { caches: level }, warnings: [] });
});

it('no word leaves it to whoever packs, and one that says nothing is named', () => {
  expect(of({ CACHE_COMPRESSION_LEVEL: '' })).toEqual({ compression: {}, warnings: [] });
  expect(of({ ARTIFACT_COMPRESSION_LEVEL: '11' })).toEqual({
    compression: {},
    warnings: [
      'ARTIFACT_COMPRESSION_LEVEL: "11" is none of fastest, fast, default, slow, slowest; left at its default',
    ],
  });
});
