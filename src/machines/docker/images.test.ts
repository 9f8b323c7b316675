import { describe, expect, it } from 'vitest';
import { digestOf } from './images.js';

describe('the digest of an image that came from several registries', () => {
  const digests = ['one.example:5000/group/app@sha256:aa', 'two.example/group/app@sha256:aa', 'debian@sha256:aa'];

  it.each([
    ['two.example/group/app:1', 'two.example/group/app@sha256:aa'],
    ['two.example/group/app', 'two.example/group/app@sha256:aa'],
    ['one.example:5000/group/app', 'one.example:5000/group/app@sha256:aa'],
    ['one.example:5000/group/app:1@sha256:aa', 'one.example:5000/group/app@sha256:aa'],
    ['debian:bookworm', 'debian@sha256:aa'],
  ])('is that of the registry that was asked: %s', (name, digest) => {
    expect(digestOf(digests, name)).toBe(digest);
  });

  it('is any of them where the engine calls that registry otherwise, and none where it has none', () => {
    expect(digestOf(digests, 'docker.io/library/alpine:3')).toBe('one.example:5000/group/app@sha256:aa');
    expect(digestOf([], 'built:here')).toBeUndefined();
  });
});
