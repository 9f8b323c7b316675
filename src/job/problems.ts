import type { z } from 'zod';
import type { JobProblem } from '../contracts/job-input.js';
import { nearest } from './nearest.js';

/** zod's issues in our words: each with its path, an unknown key with the nearest one that there is. */
export function toProblems(error: z.ZodError, keysAt: (path: PropertyKey[]) => readonly string[]): JobProblem[] {
  return error.issues.flatMap((issue) => flatten(issue, [], keysAt));
}

type Issue = z.core.$ZodIssue;

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
  return [{ path: pathText(path), message: issue.message }];
}

function depth(issues: readonly Issue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)));
}

function pathText(path: PropertyKey[]): string {
  return path.length === 0 ? '(job)' : path.map(String).join('.');
}
