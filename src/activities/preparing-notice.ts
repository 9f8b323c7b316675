import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { PREPARING_SIGNAL } from '../contracts/names.js';
import type { Logger } from '../telemetry/logger.js';
import type { Ownership } from './ownership.js';

/** A machine that takes longer than this gets its job shown as `preparing`; a faster one saves the history the event. */
const SAY_MS = 1_000;
/** In the heartbeats of an attempt whose workflow has been told. */
const SAID = 'preparing';

/** Tells the workflow once that its machine is being made, however many attempts that takes: each time would be an event of its history. */
export interface PreparingNotice {
  /** @param owner of the attempt: one that was overtaken while it was paused says nothing, as its successor has the word */
  begin(owner: Pick<Ownership, 'assertHeld'>): void;
  end(): void;
  /** For the heartbeats, by which the next attempt knows. */
  progress(): unknown;
}

/** In an activity. */
export function createPreparingNotice(deps: { client: Client; logger: Logger }, workflowId: string): PreparingNotice {
  const context = Context.current();
  let said = context.info.heartbeatDetails === SAID;
  let timer: NodeJS.Timeout | undefined;

  async function say(owner: Pick<Ownership, 'assertHeld'>): Promise<void> {
    try {
      owner.assertHeld();
    } catch {
      return; // it is its successor's word
    }
    try {
      await deps.client.workflow.getHandle(workflowId).signal(PREPARING_SIGNAL);
      said = true;
      context.heartbeat(SAID); // the attempt may fail before its next beat
    } catch (error) {
      const message = 'The workflow could not be told that its machine is being prepared';
      deps.logger.warn({ workflowId, error: String(error) }, message);
    }
  }

  return {
    begin(owner) {
      if (!said) timer = setTimeout(() => void say(owner), SAY_MS);
    },
    end: () => clearTimeout(timer),
    progress: () => (said ? SAID : undefined),
  };
}
