import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { FailureDetails } from '../../contracts/activities.js';
import { faultOf } from '../../contracts/faults.js';
import type { FailureLife } from '../../contracts/job-life.js';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
export type ProtoFailure = temporal.api.failure.v1.IFailure;
type Timestamp = HistoryEvent['eventTime'];

/** What Temporal keeps of payloads is sealed; this opens it. */
export interface PayloadReader {
  /** Undefined: there is none, or it cannot be read. */
  value(payload: Payload | null | undefined): Promise<unknown>;
}

export function createPayloadReader(codec: PayloadCodec): PayloadReader {
  return {
    async value(payload) {
      if (payload == null) return undefined;
      try {
        const [plain] = await codec.decode([payload]);
        return plain === undefined ? undefined : defaultPayloadConverter.fromPayload(plain);
      } catch {
        return undefined; // another key: the rest of the life is worth showing all the same
      }
    },
  };
}

export function millisecondsOf(time: Timestamp): number | null {
  if (time == null) return null;
  return Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1e6);
}

export function isoOf(time: Timestamp): string | null {
  const ms = millisecondsOf(time);
  return ms === null ? null : new Date(ms).toISOString();
}

// Temporal's numbers for what kind of time was over.
const HEARTBEAT = 4;

/** A failure as Temporal has it, in our words. The details are ours and say more than the message, which is not sealed. */
export async function readFailure(reader: PayloadReader, failure: ProtoFailure): Promise<FailureLife> {
  const { applicationFailureInfo: application, timeoutFailureInfo: timeout, cause } = failure;
  if (application != null) {
    const code = application.type ?? 'UNEXPECTED';
    const details = (await reader.value(application.details?.payloads?.[0])) as Partial<FailureDetails> | undefined;
    return { code, message: details?.message ?? failure.message ?? '', fault: faultOf(code).fault };
  }
  if (timeout != null) {
    const code = Number(timeout.timeoutType) === HEARTBEAT ? 'WORKER_LOST' : 'TIME_LIMIT';
    // The time for all attempts together was over; why they had failed is the cause.
    if (code === 'TIME_LIMIT' && cause != null) return await readFailure(reader, cause);
    return { code, message: faultOf(code).meaning, fault: faultOf(code).fault };
  }
  if (cause != null) return await readFailure(reader, cause);
  return { code: 'UNEXPECTED', message: failure.message ?? '', fault: faultOf('UNEXPECTED').fault };
}
