import type { z } from 'zod';
import type { JobProblem } from '../contracts/job-input.js';
import { nearest } from './nearest.js';

/** zod's issues in our words: each with its path, an unknown key with the nearest one that there is. */
export function toProblems(error: z.ZodError, keysAt: (path: PropertyKey[]) => readonly string[]): JobProblem[] {
  return error.issues.flatMap((issue) => flatten(issue, [], keysAt));
}

type Issue = z.core.$ZodIssue;

const KINDS: Record<string, string> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a mapping',
  record: 'a mapping',
  string: 'text',
};

/** What zod says where a schema has no text of its own, in words for who wrote the file. */
export const inWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? issue.expected}, ${butIs(issue.input)}`;
    case 'invalid_value': {
      const near = typeof issue.input === 'string' ? nearest(issue.input, issue.values.map(String)) : undefined;
      const choice = `must be ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`.replace(
        /, ([^,]*)$/,
        ' or $1',
      );
      return near === undefined ? choice : `${choice}; did you mean "${near}"?`;
    }
    case 'too_small':
      return `must ${amount(issue.origin)} at least ${String(issue.minimum)}${unit(issue.origin)}`;
    case 'too_big':
      return `must ${amount(issue.origin)} at most ${String(issue.maximum)}${unit(issue.origin)}`;
    case 'invalid_union':
      return oneOf(issue.errors.flat(), issue.input);
    default:
      return undefined;
  }
};

/** None of a value's forms: what each asks for. */
function oneOf(issues: readonly Issue[], input: unknown): string {
  const kinds = issues.flatMap((issue) =>
    issue.code === 'invalid_type' ? [KINDS[issue.expected] ?? issue.expected] : [],
  );
  if (kinds.length === issues.length) return `must be ${[...new Set(kinds)].join(' or ')}, ${butIs(input)}`;
  return [...new Set(issues.filter(({ code }) => code !== 'invalid_type').map(({ message }) => message))].join(', or ');
}

function butIs(input: unknown): string {
  if (input === undefined) return 'and is missing';
  if (input === null) return 'but is empty';
  return `but is ${KINDS[Array.isArray(input) ? 'array' : typeof input] ?? typeof input}`;
}

function amount(origin: string): string {
  return origin === 'array' || origin === 'string' ? 'have' : 'be';
}

function unit(origin: string): string {
  if (origin === 'array') return ' entries';
  return origin === 'string' ? ' characters' : '';
}

function flatten(
  issue: Issue,
  prefix: PropertyKey[],
  keysAt: (path: PropertyKey[]) => readonly string[],
): JobProblem[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const near = nearest(key, keysAt(path));
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      return { path: pathText([...path, key]), message: `unknown key${hint}` };
    });
  }
  if (issue.code === 'invalid_union') {
    // The form that came nearest tells most: the one with the deepest complaint.
    const [closest] = [...issue.errors].sort((a, b) => depth(b) - depth(a));
    if (closest !== undefined && depth(closest) > 0) return closest.flatMap((inner) => flatten(inner, path, keysAt));
  }
  if (issue.code === 'invalid_key') {
    return [{ path: pathText(path), message: issue.issues[0]?.message ?? issue.message }];
  }
  return [{ path: pathText(path), message: issue.message }];
}

function depth(issues: readonly Issue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)));
}

function pathText(path: PropertyKey[]): string {
  return path.length === 0 ? '(job)' : path.map(String).join('.');
}
