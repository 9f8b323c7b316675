import type { Activities } from '../contracts/activities.js';
import { sectionEnd, sectionStart, stageTitleLine } from '../trace/format.js';
import { beating } from './beat.js';
import type { EngineDeps } from './deps.js';
import { withTracePart, type TracePart } from './trace-part.js';

/** @returns activity `streamTrace`: one part of the trace, prelude first, then a step's output as it comes */
export function createStreamTrace(deps: EngineDeps): Pick<Activities, 'streamTrace'> {
  return {
    streamTrace: (input) =>
      beating(deps.lifecycle, async (signal) => {
        const { plan } = await deps.plans.load(input.workflowId, input.attempt);
        return await withTracePart(deps, input.workflowId, input.from, plan, async (part) => {
          await part.write(input.prelude);
          let whole = true;
          if (input.step !== undefined) {
            const log = deps.engine.readLog(input.machine, input.step.name, {
              signal: AbortSignal.any([signal, part.failed]),
            });
            whole = await copyStep(part, input.step, log, (bytes) => deps.metrics.traceBytes.inc(bytes));
          }
          const position = await part.close();
          // What is gone with its container may have been read before, by an attempt of which nobody knows how far it came.
          return whole ? position : { ...position, uncertain: true };
        });
      }),
  };
}

/** @returns whether the step's output was there to its end */
async function copyStep(
  part: TracePart,
  step: { name: string; title: string },
  log: ReturnType<EngineDeps['engine']['readLog']>,
  count: (bytes: number) => void,
): Promise<boolean> {
  let whole = false;
  for await (const event of log) {
    switch (event.kind) {
      case 'start':
        await part.write(sectionStart(step.name, unixSeconds(event.atMs)) + stageTitleLine(step.title));
        break;
      case 'data':
        await part.write(event.bytes);
        count(event.bytes.length);
        break;
      case 'end':
        await part.write(sectionEnd(step.name, unixSeconds(event.atMs)));
        whole = true;
    }
  }
  return whole;
}

function unixSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
