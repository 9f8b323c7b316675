import { setTimeout as delay } from 'node:timers/promises';

/**
 * Tells the reader of a log in this process that a container has been started, so that it need not ask the engine for it all the
 * time. Only a hint: a reader in another process looks now and then, and a lost hint costs that time, nothing else.
 */
export interface Starts {
  started(container: string): void;
  /** Hears every start from now on, also one before it is waited for. */
  listen(container: string): StartListener;
}

export interface StartListener {
  /** @returns whether there was a start, at the latest after `ms`. @throws the signal's reason */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

export function createStarts(): Starts {
  const listeners = new Map<string, Set<() => void>>();

  return {
    started(container) {
      for (const hear of listeners.get(container) ?? []) hear();
    },
    listen(container) {
      let heard = false;
      let wake: (() => void) | undefined;
      const hear = () => {
        heard = true;
        wake?.();
      };
      const set = listeners.get(container) ?? new Set();
      listeners.set(container, set.add(hear));
      return {
        async wait(ms, signal) {
          const over = new AbortController();
          const bell = new Promise<void>((resolve) => (wake = resolve));
          if (!heard) {
            const timer = delay(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) });
            timer.catch(() => undefined);
            await Promise.race([bell, timer]);
            over.abort();
          }
          const result = heard;
          heard = false;
          return result;
        },
        close() {
          set.delete(hear);
          if (set.size === 0) listeners.delete(container);
        },
      };
    },
  };
}
