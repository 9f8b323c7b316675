import type { Limiter } from './limiter.js';
import type { ByteStage } from './phrase-masker.js';

/** Masker, then limiter: the limit counts what is kept, not what was printed. */
export interface PartPipeline {
  /** @returns bytes for the head of the trace */
  push(text: string | Buffer): Buffer;
  /** The part has ended: what the masker held back. */
  end(): Buffer;
}

export function createPartPipeline(stages: { masker: ByteStage; limiter: Limiter }): PartPipeline {
  return {
    push: (text) => stages.limiter.push(stages.masker.push(typeof text === 'string' ? Buffer.from(text) : text)),
    end: () => stages.limiter.push(stages.masker.flush()),
  };
}
