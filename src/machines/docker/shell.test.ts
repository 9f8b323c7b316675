import { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { describe, expect, it } from 'vitest';
import { openShell } from './shell.js';

const REQUEST = { command: ['true'], directory: '/', wake: true };

/** @param start what the engine says when the container of a held machine, which has stopped, is started */
function heldMachine(start: () => Promise<void>) {
  const connection = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const container = {
    inspect: () =>
      Promise.resolve({ State: { Status: 'exited', Running: false, StartedAt: 'then' }, Config: { Labels: {} } }),
    putArchive: () => Promise.resolve(),
    start,
    exec: () => Promise.resolve({ start: () => Promise.resolve(connection) }),
  } as unknown as Docker.Container;
  return { open: () => openShell(new Docker({ host: 'nowhere' }), container, REQUEST), connection };
}

function answered(statusCode: number, message: string): () => Promise<void> {
  return () => Promise.reject(Object.assign(new Error(message), { statusCode }));
}

describe('a shell in a machine that is held', () => {
  it('is opened where somebody else has just started its container', async () => {
    const { open } = heldMachine(answered(304, 'container already started'));

    expect(await open()).toHaveProperty('output');
  });

  it('is none where its network does not run any more', async () => {
    const { open } = heldMachine(answered(409, 'cannot join network of a non running container: 0123'));

    await expect(open()).rejects.toMatchObject({ code: 'MACHINE_GONE', message: expect.stringMatching(/network/) });
  });

  it('ends with an error when its connection breaks', async () => {
    const { open, connection } = heldMachine(() => Promise.resolve());
    const { output } = await open();
    const read = text(output);
    connection.destroy(new Error('reset'));

    await expect(read).rejects.toThrow('reset');
  });
});
