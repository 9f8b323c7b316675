import { startStack, type Stack, type StackOverrides } from '../test/support/stack.js';

/** What every measurement gets. */
export interface Bench {
  /** One for all measurements that need nothing of their own: Temporal on SQLite, Prometheus, a worker with the defaults. */
  stack(): Promise<Stack>;
  /** One of its own; closed with the others at the end, or before by the measurement. */
  ownStack(overrides?: StackOverrides): Promise<Stack>;
  rounds(usual: number): number;
  say(text: string): void;
  /** For servers that a measurement has opened. */
  onClose(close: () => Promise<unknown>): void;
  close(): Promise<void>;
}

/** What a job and `docker run` both use. */
export const IMAGE = 'debian:bookworm-slim';

/** The product's own defaults, where the tests' stack has hastier ones. */
const DEFAULTS: StackOverrides = {
  engine: { defaultImage: IMAGE },
  metrics: { step: '5s', sampleInterval: '2s', scrapeWait: '15s' },
  scrapeInterval: '5s',
};

export function createBench(options: { rounds: number | undefined; say: (text: string) => void }): Bench {
  const closers: (() => Promise<unknown>)[] = [];
  let shared: Promise<Stack> | undefined;

  async function ownStack(overrides: StackOverrides = {}): Promise<Stack> {
    const stack = await startStack({
      ...DEFAULTS,
      ...overrides,
      engine: { ...DEFAULTS.engine, ...overrides.engine },
      metrics: { ...DEFAULTS.metrics, ...overrides.metrics },
    });
    let closed: Promise<void> | undefined;
    const close = () => (closed ??= stack.close());
    closers.push(close);
    return { ...stack, close };
  }

  return {
    stack: () => (shared ??= ownStack()),
    ownStack,
    rounds: (usual) => options.rounds ?? usual,
    say: options.say,
    onClose: (close) => closers.push(close),
    async close() {
      for (const close of closers.splice(0).reverse()) {
        await close().catch((error: unknown) => options.say(`closing: ${String(error)}`));
      }
    },
  };
}
