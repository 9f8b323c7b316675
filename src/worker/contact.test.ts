import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { refusesConnections, startContact, type Contact } from './contact.js';

/** What a server that refuses, or one that is away, comes to. */
const grpcError = (code: number) => Object.assign(new Error('refused'), { code, details: '', metadata: {} });

describe('contact with Temporal', () => {
  let ms = 0;
  let answer: () => Promise<unknown> = () => Promise.resolve();
  let refuses = false;
  let contact: Contact;

  beforeEach(() => {
    vi.useFakeTimers();
    ms = 0;
    answer = () => Promise.resolve();
    refuses = false;
    contact = startContact({ ask: () => answer(), refuses: () => Promise.resolve(refuses) }, () => ms);
  });

  afterEach(() => {
    contact.stop();
    vi.useRealTimers();
  });

  const delayed = async <T>(after: number, work: () => Promise<T>): Promise<T> => {
    await new Promise((resolve) => setTimeout(resolve, after));
    return await work();
  };
  /** As long as a question may take. */
  const hanging = () => delayed(2_500, () => Promise.reject(grpcError(1)));

  async function pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      ms += 1_000;
      await vi.advanceTimersByTimeAsync(1_000);
    }
  }

  it('lasts while there are answers, and refusals are answers', async () => {
    await pass(60);
    expect(contact.brokenSince(0)).toBe(false);
    answer = () => Promise.reject(grpcError(7));
    await pass(60);

    expect(contact.brokenSince(0)).toBe(false);
  });

  it('survives a silence that is shorter than heartbeats may be late', async () => {
    answer = hanging;
    await pass(3);
    answer = () => Promise.resolve();
    await pass(60);

    expect(contact.brokenSince(0)).toBe(false);
  });

  it('is broken when it hangs for longer, and stays so for what began before', async () => {
    answer = hanging;
    await pass(9);
    expect(contact.brokenSince(0)).toBe(true);
    answer = () => Promise.resolve();
    await pass(9);

    expect(contact.brokenSince(0)).toBe(true);
    expect(contact.brokenSince(ms - 500)).toBe(false);
  });

  it('lasts while Temporal refuses connections, and nobody is given anything; what it does when it is back is not known', async () => {
    answer = () => delayed(9_000, () => Promise.reject(grpcError(14)));
    refuses = true;
    await pass(60);
    expect(contact.brokenSince(0)).toBe(false);
    answer = () => Promise.resolve();
    refuses = false;
    await pass(12);

    expect(contact.brokenSince(0)).toBe(true);
  });

  it('is there for what was given out just now', async () => {
    answer = hanging;
    await pass(30);

    expect(contact.brokenSince(ms)).toBe(false);
  });
});

describe('an address', () => {
  it('refuses connections where nobody listens, and only there', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await refusesConnections({ host: '127.0.0.1', port })).toBe(false);
    await new Promise((resolve) => server.close(resolve));

    expect(await refusesConnections({ host: '127.0.0.1', port })).toBe(true);
  });
});
