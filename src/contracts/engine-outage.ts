import { z } from 'zod';

/**
 * Why an engine takes no jobs. `provisioning`: it failed to make machine after machine. `machines`: machine after machine was lost under
 * its step. Both take it out of rotation. `silent`: it does not answer, so nobody can say whether it has a free slot.
 */
const OUTAGE_KINDS = ['provisioning', 'machines', 'silent'] as const;

/** What a worker has found of one of its engines, kept in the store for whoever waits (docs/adr/0025). Times are ISO 8601. */
export const EngineOutage = z.object({
  engine: z.string(),
  /** Whose jobs wait. */
  pools: z.array(z.string()),
  /** Process and host. Each worker judges for itself. */
  worker: z.string(),
  kind: z.enum(OUTAGE_KINDS),
  since: z.iso.datetime(),
  /** In a row, when it was taken out. */
  failures: z.number().int().positive(),
  /** The last thing that went wrong: a job's failure, or a probe's. */
  last: z.object({ code: z.string(), message: z.string(), at: z.iso.datetime() }),
  /** Null: it is asked all the time. */
  nextProbeAt: z.iso.datetime().nullable(),
  /** When the worker last said that this holds; a worker that died says nothing more. */
  confirmedAt: z.iso.datetime(),
});
export type EngineOutage = z.infer<typeof EngineOutage>;

/** @returns sentences for a person: which engine, since when, why, and when it is tried again */
export function describeOutage(outage: EngineOutage): string {
  const { engine, kind, since, last, nextProbeAt, worker } = outage;
  const state = kind === 'silent' ? 'does not answer' : 'is out of rotation';
  const probe = nextProbeAt === null ? 'It is asked again every second' : `The next probe is at ${nextProbeAt}`;
  return `Engine "${engine}" ${state} since ${since}${whyOf(outage)}; the last failure was ${last.code}: ${withoutStop(last.message)}. ${probe} (worker ${worker}).`;
}

function whyOf({ kind, failures }: EngineOutage): string {
  const many = failures > 1;
  switch (kind) {
    case 'provisioning':
      return many ? `: ${String(failures)} machines in a row could not be made` : ': a machine could not be made again';
    case 'machines':
      return many ? `: ${String(failures)} times in a row machines were lost` : ': machines were lost again';
    case 'silent':
      return '';
  }
}

function withoutStop(text: string): string {
  return text.replace(/[.\s]+$/, '');
}
