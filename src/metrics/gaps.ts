import { PrometheusError } from './errors.js';

/** What a collection goes on without, since Prometheus does not answer it. */
export interface Gaps {
  /** Something was left out that may be answered later. */
  readonly isOpen: boolean;
  /**
   * @returns why it is left out
   * @throws the error itself when the whole collection should be tried again
   */
  reasonFor(error: unknown): string;
}

/** @param partial also what may be answered later is left out; else only what never will */
export function createGaps(partial: boolean): Gaps {
  let isOpen = false;
  return {
    get isOpen() {
      return isOpen;
    },
    reasonFor(error) {
      if (!(error instanceof PrometheusError) || (error.retryable && !partial)) throw error;
      isOpen ||= error.retryable;
      return error.message;
    },
  };
}
