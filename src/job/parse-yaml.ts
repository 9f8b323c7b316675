import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Node } from 'yaml';
import type { JobProblem } from '../contracts/job-input.js';
import { parseJobObject } from './job-file.js';

/** Aliases may not blow a small file up into a large one. */
const MAX_ALIASES = 100;
const MAX_FILE_BYTES = 1024 * 1024;

/** The content of a valid job file, as it stands there: for a client, which checks again. */
export function readJobFile(text: string): { ok: true; value: unknown } | { ok: false; problems: JobProblem[] } {
  if (text.length > MAX_FILE_BYTES) {
    return { ok: false, problems: [{ path: '(job)', message: 'the file is larger than 1 MiB' }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true, merge: true });
  if (document.errors.length > 0) {
    return {
      ok: false,
      problems: document.errors.map((error) => ({
        path: '(yaml)',
        message: error.message.split('\n')[0] ?? 'is not YAML',
        ...(error.linePos === undefined ? {} : { line: error.linePos[0].line }),
      })),
    };
  }
  keepNumbersAsWritten(document);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return {
      ok: false,
      problems: [{ path: '(yaml)', message: error instanceof Error ? error.message : String(error) }],
    };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      ok: false,
      problems: [{ path: '(job)', message: 'must be a mapping of keywords, e.g. "script: [make]"' }],
    };
  }
  const parsed = parseJobObject(value);
  if (parsed.ok) return { ok: true, value };
  return { ok: false, problems: parsed.problems.map((problem) => withLine(problem, document, lines)) };
}

/** A variable is text: `2.0`, `0755` and numbers of twenty digits are what they look like. */
function keepNumbersAsWritten(document: Document): void {
  visit(document, {
    Pair(_, { key, value }) {
      if (!isScalar(key) || key.value !== 'variables' || !isMap(value)) return;
      visit(value, {
        Scalar(place, scalar) {
          if (place !== 'key' && typeof scalar.value === 'number' && scalar.source !== undefined)
            scalar.value = scalar.source;
        },
      });
    },
  });
}

function withLine(problem: JobProblem, document: Document, lines: LineCounter): JobProblem {
  const offset = offsetOf(document.contents, problem.path.split('.'));
  return offset === undefined ? problem : { ...problem, line: lines.linePos(offset).line };
}

/** The deepest node on the path that exists: a missing key is reported where its parent stands. */
function offsetOf(node: Node | null, path: string[]): number | undefined {
  const [segment, ...rest] = path;
  const here = node?.range?.[0];
  if (node === null || segment === undefined) return here;
  if (isMap(node)) {
    const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === segment);
    if (pair === undefined) return here;
    const key = (pair.key as Node).range?.[0];
    return rest.length === 0 ? key : (offsetOf(pair.value as Node | null, rest) ?? key);
  }
  if (isSeq(node)) return offsetOf((node.items[Number(segment)] as Node | undefined) ?? null, rest) ?? here;
  return here;
}
