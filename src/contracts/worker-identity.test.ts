import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { identityOfWorker, partsOfIdentity, workerName } from './worker-identity.js';

const digits = fc.stringMatching(/^[\da-f]{0,8}$/);
const host = fc.string().filter((text) => !/[\n\r\u2028\u2029]/.test(text));

describe('the identity of a worker', () => {
  it('gives back its parts, whatever the host is called', () => {
    fc.assert(
      fc.property(fc.nat(), host, digits, fc.nat(), (pid, name, space, ticks) => {
        const parts = { pid, host: name, space, born: String(ticks) };

        expect(partsOfIdentity(identityOfWorker(parts))).toEqual(parts);
        expect(workerName(identityOfWorker(parts))).toBe(`${String(pid)}@${name}`);
      }),
    );
  });

  it('is nothing in the identities of others', () => {
    for (const other of ['4711@builder', 'temporal-cli:root@builder', '', '#.', '1@a#xyz.1']) {
      expect(partsOfIdentity(other)).toEqual({ pid: 0, host: '', space: '', born: '' });
      expect(workerName(other)).toBe(other);
    }
  });
});
