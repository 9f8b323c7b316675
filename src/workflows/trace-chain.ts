import { CancellationScope, isCancellation, log, patched, sleep } from '@temporalio/workflow';
import type { MachineRef, StreamTraceInput, TracePosition } from '../contracts/activities.js';
import { traceActivities } from './activity-stubs.js';

/** The trace, one part after another and beside the steps: a stalled part holds up only what follows in the trace. */
export interface TraceChain {
  /** Workflow-made lines; they go out with the next part. */
  write(text: string): void;
  /** The output of a step, from its first byte until its container stops. */
  follow(machine: MachineRef, step: NonNullable<StreamTraceInput['step']>): void;
  /** Continue where an activity that wrote by itself (provisioning) has stopped. */
  moveTo(position: TracePosition): void;
  /** The machine is lost, and with it whatever of its output was not read yet: nobody waits for it any longer. */
  abandon(): void;
  /** The same, if it is not read by then. */
  giveUpAfter(limitMs: number): void;
  /** A part was cut off, and nobody knows how far it came. */
  lostTrack(): void;
  /** Waits for all parts. */
  drain(): Promise<TracePosition>;
  /** Lines that wait for a part of their own. */
  takePending(): string;
  position(): TracePosition;
}

export function createTraceChain(taskQueue: string): TraceChain {
  let pending = '';
  let position: TracePosition = { part: 0, offset: 0, overLimit: false };
  let tail: Promise<void> = Promise.resolve();
  let reading: CancellationScope | undefined;
  let followed = 0;
  /** Parts up to this one wait for nobody. */
  let abandoned = 0;

  /** The next part begins at the real end of the trace, under a number of its own: the part that was cut off may have used this one. */
  function lostTrack(): void {
    position = { ...position, part: position.part + 1, uncertain: true };
  }

  async function stream(number: number, input: Omit<StreamTraceInput, 'from'>, machine: MachineRef): Promise<void> {
    if (number <= abandoned && patched('abandoned-trace')) {
      lostTrack();
      return;
    }
    const label = input.step === undefined ? 'trace' : `trace of ${input.step.name}`;
    const scope = new CancellationScope({ cancellable: true });
    reading = scope;
    try {
      position = await scope.run(() =>
        traceActivities(taskQueue, machine, label).streamTrace({ ...input, from: position }),
      );
    } catch (error) {
      // The build's result does not hang on its trace. What could not be written is missing at the end of this part.
      lostTrack();
      const facts = { step: input.step?.name, error };
      if (isCancellation(error)) log.info('The rest of a part of the trace is waited for no longer', facts);
      else log.error('A part of the trace could not be written', facts);
    }
  }

  function abandon(): void {
    abandoned = followed;
    reading?.cancel();
  }

  return {
    write(text) {
      pending += text;
    },
    follow(machine, step) {
      const prelude = pending;
      pending = '';
      const number = ++followed;
      tail = tail.then(() => stream(number, { ...machine, prelude, step }, machine));
    },
    moveTo(next) {
      position = next;
    },
    abandon,
    giveUpAfter(limitMs) {
      const patience = new CancellationScope({ cancellable: true });
      void patience
        .run(() => sleep(limitMs, { summary: 'patience with the rest of the trace' }))
        .then(abandon, () => undefined);
      void tail.then(() => patience.cancel());
    },
    lostTrack,
    async drain() {
      await tail;
      return position;
    },
    takePending() {
      const text = pending;
      pending = '';
      return text;
    },
    position: () => position,
  };
}
