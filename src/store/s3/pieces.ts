/**
 * Object stores cannot append. What grows is kept as pieces beside its key, `<key>/!<offset>-<bytes>`, until it is settled into
 * one object. `!` begins no segment of a key, so pieces meet nothing else. A piece is named by its length too: a writer that
 * repeats what another has written, in other cuts, then never shortens what is there.
 */
export interface Piece {
  /** Name of the object. */
  name: string;
  start: number;
  end: number;
}

const MARK = '/!';
/** Names sort as numbers do, up to 10 PB. */
const DIGITS = 16;

export function pieceName(object: string, offset: number, bytes: number): string {
  return `${object}${MARK}${String(offset).padStart(DIGITS, '0')}-${String(bytes)}`;
}

/** All pieces of an object begin with this. */
export function piecesPrefix(object: string): string {
  return object + MARK;
}

/** @returns undefined when it is no piece of the object */
export function parsePiece(object: string, name: string): Piece | undefined {
  if (!name.startsWith(piecesPrefix(object))) return undefined;
  const match = /^(\d{16})-(\d{1,16})$/.exec(name.slice(object.length + MARK.length));
  if (match === null) return undefined;
  const start = Number(match[1]);
  return { name, start, end: start + Number(match[2]) };
}

/** The object that a piece belongs to; any other name is given back as it is. */
export function withoutPiece(name: string): string {
  const at = name.lastIndexOf(MARK);
  return at === -1 || parsePiece(name.slice(0, at), name) === undefined ? name : name.slice(0, at);
}

/** A part of a piece. */
export interface Slice {
  name: string;
  /** Within the piece; `end` is exclusive. */
  start: number;
  end: number;
}

/**
 * Which bytes of which pieces make up a range. Pieces may overlap, since writers repeat each other; where they do they hold the
 * same bytes, so any will do and the longest is taken. Ends where there is a gap.
 * @param range `end` is exclusive
 */
export function cover(pieces: readonly Piece[], range: { start: number; end: number }): Slice[] {
  const sorted = [...pieces].sort((a, b) => a.start - b.start);
  const slices: Slice[] = [];
  let next = 0;
  for (let at = 0; at < range.end;) {
    let best: Piece | undefined;
    for (let piece = sorted[next]; piece !== undefined && piece.start <= at; piece = sorted[++next]) {
      if (piece.end > (best?.end ?? at)) best = piece;
    }
    if (best === undefined) break;
    const start = Math.max(at, range.start);
    const end = Math.min(best.end, range.end);
    if (end > start) slices.push({ name: best.name, start: start - best.start, end: end - best.start });
    at = best.end;
  }
  return slices;
}

/** Bytes without a gap from the beginning. */
export function endOf(pieces: readonly Piece[]): number {
  return cover(pieces, { start: 0, end: Number.MAX_SAFE_INTEGER }).reduce(
    (sum, { start, end }) => sum + end - start,
    0,
  );
}
