import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../config/load.js';
import type { EngineSettings, MachineRequest, ServiceRequest } from '../engine.js';
import { assertAllowed, matchesAny } from './allowed.js';

function settings(engine: object = {}): EngineSettings {
  const [parsed] = parseConfig({ engines: [{ name: 'e', defaultImage: 'debian:12', ...engine }] }, 'test').engines;
  return parsed!;
}

function request(changes: Partial<MachineRequest> = {}): MachineRequest {
  return {
    machine: 'm',
    job: 'job/1',
    nonce: 'n',
    services: [],
    helper: false,
    steps: [],
    buildsDirectory: '/builds',
    projectDirectory: '/builds/p',
    hostname: 'm',
    credentials: [],
    serviceWaitMs: 1000,
    secrets: [],
    ...changes,
  };
}

function service(name: string, changes: Partial<ServiceRequest> = {}): ServiceRequest {
  return { name, aliases: [], environment: {}, ...changes };
}

describe('a pattern of images', () => {
  it.each([
    ['ruby:3', ['ruby:*'], true],
    ['ruby', ['ruby:*'], false],
    ['registry.example:5000/a/b:1', ['registry.example:5000/*'], false],
    ['registry.example:5000/a/b:1', ['registry.example:5000/**'], true],
    ['registry.example:5000/a:1', ['registry.example:5000/*:*'], true],
    ['registry.example.evil/a', ['registry.example/*'], false],
    ['alpine:3.20', ['{alpine,debian}:3.*'], true],
    ['alpine:3.20', ['alpine:[0-9].*'], true],
    ['.hidden/x', ['*/x'], true],
    ['anything', ['!other'], false],
    ['anything', ['!(other)'], false],
    ['a@sha256:00', ['a@sha256:*'], true],
  ])('lets %s through %j: %s', (name, patterns, expected) => {
    expect(matchesAny(name, patterns)).toBe(expected);
  });

  it('never throws, whatever the job calls its image', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (name, pattern) => {
        expect(typeof matchesAny(name, [pattern, 'x'])).toBe('boolean');
      }),
    );
  });
});

describe('what a job may have', () => {
  it('is any image when none is listed, and the default image always', () => {
    expect(assertAllowed(settings(), request({ image: { name: 'x' } })).image.name).toBe('x');
    const listed = settings({ allowedImages: ['only/this'] });
    expect(assertAllowed(listed, request()).image.name).toBe('debian:12');
    expect(assertAllowed(listed, request({ image: { name: 'only/this' } })).image.name).toBe('only/this');
  });

  it.each([
    [
      { allowedImages: ['ruby:*'] },
      { image: { name: 'evil:1' } },
      /image "evil:1" is not allowed.*ruby:\*.*allowedImages/,
    ],
    [{ allowedServices: ['pg'] }, { services: [service('mysql')] }, /service "mysql" is not allowed.*allowedServices/],
    [{ servicesLimit: 1 }, { services: [service('a'), service('b')] }, /2 services; this runner allows 1/],
    [{}, { image: { name: 'x', pullPolicy: ['never' as const] } }, /Pull policy "never".*allowedPullPolicies/],
    [{}, { services: [service('x', { pullPolicy: ['always'] })] }, /Pull policy "always" of image x/],
    [{ allowedUsers: ['1000'] }, { image: { name: 'x', user: 'root' } }, /User "root" is not allowed.*allowedUsers/],
    [{ allowedUsers: ['1000'] }, { services: [service('x', { user: '0' })] }, /User "0" is not allowed/],
  ])('is bounded by %j', (engine, changes, message) => {
    expect(() => assertAllowed(settings(engine), request(changes))).toThrow(message);
  });

  it("is the operator's user before its own", () => {
    const configured = settings({ user: 'operator', allowedUsers: ['1000'] });

    expect(assertAllowed(configured, request({ image: { name: 'x', user: 'root' } })).user).toBe('operator');
  });

  it('is a pull policy of the list, in its order', () => {
    const engine = settings({ pullPolicy: ['always', 'if-not-present'] });

    expect(assertAllowed(engine, request({ image: { name: 'x' } })).image.policies).toEqual([
      'always',
      'if-not-present',
    ]);
    expect(
      assertAllowed(engine, request({ image: { name: 'x', pullPolicy: ['if-not-present'] } })).image.policies,
    ).toEqual(['if-not-present']);
  });

  it('is no entry point of its own where the operator forbids it, and a warning', () => {
    const asked = { image: { name: 'x', entrypoint: ['/evil'] }, services: [service('y', { entrypoint: ['/evil'] })] };
    const allowed = assertAllowed(settings({ disableEntrypointOverwrite: true }), request(asked));

    expect(allowed.entrypoint).toBeUndefined();
    expect(allowed.services[0]?.request).not.toHaveProperty('entrypoint');
    expect(allowed.warnings).toEqual([expect.stringContaining('disableEntrypointOverwrite')]);
    expect(assertAllowed(settings(), request(asked))).toMatchObject({ entrypoint: ['/evil'], warnings: [] });
  });
});
