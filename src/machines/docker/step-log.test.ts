import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameReader, createLineMender, createStepFilter } from './step-log.js';

const NONCE = 'f00d';
const TIME = '2026-01-02T03:04:05.678901234Z';
const PIECE = 16_384;

function marker(step: string, border: 'start' | 'end'): Buffer {
  return Buffer.from(`\x1eholdfast:${NONCE}:${step}:${border}\x1e\n`);
}

/** As Docker 20.10's `local` driver keeps what a run of a container printed. */
function frames20(run: Buffer): Buffer[] {
  const result: Buffer[] = [];
  for (let at = 0; at < run.length;) {
    const newline = run.indexOf(0x0a, at);
    const end = newline === -1 ? run.length : newline;
    let piece = at;
    for (; end - piece >= PIECE; piece += PIECE) result.push(run.subarray(piece, piece + PIECE));
    const long = piece > at;
    if (newline === -1) {
      if (piece < end) result.push(run.subarray(piece, end));
      return result;
    }
    result.push(long ? run.subarray(piece, end) : run.subarray(piece, end + 1));
    at = end + 1;
  }
  return result;
}

/** As an engine that keeps every newline. */
function framesNew(run: Buffer): Buffer[] {
  const old = frames20(run);
  let at = 0;
  return old.map((frame) => {
    at += frame.length;
    if (frame.at(-1) === 0x0a || run[at] !== 0x0a || frame.length === PIECE) return frame;
    at += 1;
    return Buffer.concat([frame, Buffer.of(0x0a)]);
  });
}

function wire(frames: Buffer[]): Buffer {
  return Buffer.concat(
    frames.map((frame) => {
      const payload = Buffer.concat([Buffer.from(`${TIME} `), frame]);
      const header = Buffer.alloc(8);
      header[0] = 1;
      header.writeUInt32BE(payload.length, 4);
      return Buffer.concat([header, payload]);
    }),
  );
}

/** Reads one step from a log that comes in the given chunks. */
function read(log: Buffer, step: string, chunks: number[] = []): { bytes: Buffer; kinds: string; phase: string } {
  const reader = createFrameReader();
  const filter = createStepFilter(NONCE, step);
  const events = [];
  let at = 0;
  for (const size of [...chunks, log.length]) {
    for (const frame of reader.push(log.subarray(at, at + size))) events.push(...filter.push(frame));
    at = Math.min(log.length, at + size);
  }
  events.push(...filter.flush());
  return {
    bytes: Buffer.concat(events.flatMap((event) => (event.kind === 'data' ? [event.bytes] : []))),
    kinds: events
      .map((event) => event.kind)
      .filter((kind, index, all) => kind !== all[index - 1])
      .join(' '),
    phase: filter.phase(),
  };
}

const line = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7).map((size) => Buffer.alloc(size, 0x61)),
  fc.constantFrom(
    Buffer.from('\x1e'),
    Buffer.from('\x1eholdfast:'),
    Buffer.from('\x1eholdfast:beef:step_script:end\x1e'),
    Buffer.from('\r\n\n\r'),
    Buffer.alloc(0),
  ),
);
const output = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.boolean())
  .map(([lines, terminated]) =>
    Buffer.concat(
      lines.flatMap((text, index) => [text, ...(terminated || index < lines.length - 1 ? [Buffer.of(0x0a)] : [])]),
    ),
  );

describe("a step's output", () => {
  it.each([
    ['an engine that drops the newline of long lines', frames20],
    ['an engine that keeps it', framesNew],
  ])('comes back byte for byte from %s, over any split of the stream', (_name, framesOf) => {
    fc.assert(
      fc.property(output, output, fc.array(fc.nat(3_000), { maxLength: 20 }), (script, after, chunks) => {
        const log = wire([
          ...framesOf(Buffer.concat([marker('step_script', 'start'), script, marker('step_script', 'end')])),
          ...framesOf(Buffer.concat([marker('after_script', 'start'), after, marker('after_script', 'end')])),
        ]);
        const first = read(log, 'step_script', chunks);
        const second = read(log, 'after_script', chunks);
        expect(first.bytes.equals(script)).toBe(true);
        expect(second.bytes.equals(after)).toBe(true);
        expect(first.kinds.replace(' data', '')).toBe('start end');
        expect(first.phase).toBe('over');
        expect(second.phase).toBe('after');
      }),
      { numRuns: 150 },
    );
  });

  it('is what was printed until then, when its run was killed in a long line and another run followed', () => {
    const cut = Buffer.alloc(PIECE + 100, 0x62);
    const log = wire([
      ...frames20(Buffer.concat([marker('step_script', 'start'), cut])),
      ...frames20(
        Buffer.concat([marker('after_script', 'start'), Buffer.from('later\n'), marker('after_script', 'end')]),
      ),
    ]);

    expect(read(log, 'step_script').bytes.equals(cut)).toBe(true);
    expect(read(log, 'after_script').bytes.toString()).toBe('later\n');
  });

  it('gets no newline that was not printed when the log ends in a long line', () => {
    const cut = Buffer.alloc(PIECE + 100, 0x62);

    expect(read(wire(frames20(Buffer.concat([marker('s', 'start'), cut]))), 's').bytes.equals(cut)).toBe(true);
  });

  it('may hold anything that looks like a marker of another machine', () => {
    const script = Buffer.from('\x1eholdfast:beef:step_script:end\x1e\nstill here\n\x1eholdfast:');
    const log = wire(frames20(Buffer.concat([marker('s', 'start'), script, marker('s', 'end')])));

    expect(read(log, 's').bytes.equals(script)).toBe(true);
  });

  it('is empty before its step has begun', () => {
    const log = wire(frames20(Buffer.concat([marker('a', 'start'), Buffer.from('x\n'), marker('a', 'end')])));

    expect(read(log, 'b')).toMatchObject({ kinds: '', phase: 'before' });
  });

  it('has the times of its borders', () => {
    const filter = createStepFilter(NONCE, 's');
    const [frame] = createFrameReader().push(wire([marker('s', 'start')]));

    expect(filter.push(frame!)).toEqual([{ kind: 'start', atMs: Date.parse('2026-01-02T03:04:05.678Z') }]);
  });
});

describe('mending long lines', () => {
  it('changes nothing in lines that the engine keeps whole', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), (lines) => {
        const mender = createLineMender(NONCE);
        const given = lines.map((bytes) =>
          Buffer.concat([Buffer.from(bytes).filter((byte) => byte !== 0x0a), Buffer.of(0x0a)]),
        );
        expect(given.flatMap((bytes) => mender.push(bytes))).toEqual(given);
      }),
    );
  });
});
