import { describe, expect, it } from 'vitest';
import { MachineError } from '../engine.js';
import { toMachineError } from './errors.js';
import { isPlainName } from './images.js';

/** As dockerode tells what an engine has answered. */
function answered(statusCode: number, message: string): Error {
  return Object.assign(new Error(`(HTTP code ${String(statusCode)}) - ${message}`), { statusCode });
}

describe("an engine's refusal", () => {
  it.each([
    [answered(400, 'invalid CapAdd'), 'BAD_OPTIONS', false],
    [answered(500, 'unable to find user me: no matching entries in passwd file'), 'BAD_OPTIONS', false],
    [answered(500, 'unable to find group us: no matching entries in group file'), 'BAD_OPTIONS', false],
    [answered(500, 'no space left on device'), 'ENGINE_FAULT', true],
    [answered(404, 'No such container'), 'MACHINE_GONE', true],
    [new Error('connect ENOENT'), 'ENGINE_UNREACHABLE', true],
  ])('%s is %s; it may be tried again: %s', (error, code, retryable) => {
    expect(toMachineError(error, 'running step_script')).toMatchObject({ code, retryable });
    expect(toMachineError(error, 'running step_script')).toBeInstanceOf(MachineError);
  });
});

describe('the name of an image', () => {
  it.each([
    'busybox',
    'debian:bookworm-slim',
    'registry.example:5000/a/b_c/d.e:v1.2-x',
    'a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    '[::1]:5000/x',
  ])('may be %s', (name) => {
    expect(isPlainName(name)).toBe(true);
  });

  it.each([
    '',
    'No Image',
    'a?b',
    'a#b',
    'a%2fb',
    '../containers/x',
    'a/../b',
    'a/./b',
    'a//b',
    '/a',
    'a/',
    'a\nb',
    'ä',
  ])('cannot be %j, which would be another address at the engine, or none', (name) => {
    expect(isPlainName(name)).toBe(false);
  });
});
