/**
 * Tells readers in this process that a job's trace has grown, so that they need not wait for their next look. Only a hint: a
 * reader in another process polls, and a lost hint costs that time, nothing else.
 */
export interface TraceHub {
  grown(workflowId: string): void;
  /** Resolves at the next growth, after `ms`, or when the signal aborts; never rejects. */
  wait(workflowId: string, ms: number, signal: AbortSignal): Promise<void>;
}

export function createTraceHub(): TraceHub {
  const listeners = new Map<string, Set<() => void>>();

  return {
    grown(workflowId) {
      for (const wake of listeners.get(workflowId) ?? []) wake();
    },
    wait(workflowId, ms, signal) {
      return new Promise((resolve) => {
        const set = listeners.get(workflowId) ?? new Set();
        listeners.set(workflowId, set);
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          set.delete(done);
          if (set.size === 0) listeners.delete(workflowId);
          resolve();
        };
        const timer = setTimeout(done, ms);
        set.add(done);
        if (signal.aborted) done();
        else signal.addEventListener('abort', done, { once: true });
      });
    },
  };
}
