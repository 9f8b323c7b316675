import { createHash } from 'node:crypto';

/**
 * Whose things on an engine are. Two Holdfasts may share a Docker daemon, even with engines of one name (two checkouts on one
 * machine): each knows only its own workflows, so each must leave alone what is not its own.
 */
export interface Installation {
  /** Of the Temporal namespace that has the workflows: the same for all workers of it, and another one for every other. */
  id: string;
  /**
   * Of the place where this installation lives: host, Temporal's address, namespace and store. Another id of the same origin is
   * an installation that is no more (its state was deleted and made anew), and whose things nobody else will ever remove.
   */
  origin: string;
}

/** @param namespaceId as Temporal made it; @param place everything that tells this installation's place from others' */
export function installationOf(namespaceId: string, place: readonly string[]): Installation {
  return { id: digest([namespaceId]), origin: digest(place) };
}

/** Short enough for names of containers; 48 bits keep the installations of one engine apart. */
function digest(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
}
