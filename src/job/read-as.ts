import { z } from 'zod';

/**
 * What `safeParse` says, of strangers' values too: zod measures the `length` of anything that has one, also of a mapping where text or a
 * list belongs, and throws when that is a mapping itself of which no number can be made.
 */
export function readAs<T extends z.ZodType>(
  schema: T,
  value: unknown,
  options?: z.core.ParseContext<z.core.$ZodIssue>,
): { success: true; data: z.output<T> } | { success: false; error: z.ZodError } {
  try {
    return schema.safeParse(value, options);
  } catch (error) {
    const path = pathOfUnmeasured(value);
    if (path === undefined) throw error;
    const message = 'must be text or a list, but is a mapping';
    return { success: false, error: new z.ZodError([{ code: 'custom', path, message, input: value }]) };
  }
}

interface Place {
  value: object;
  key: string;
  in?: Place;
}

/** By a stack of its own: a stranger's value may be nested as deeply as its bytes reach. */
function pathOfUnmeasured(value: unknown): string[] | undefined {
  const open: Place[] = isObject(value) ? [{ value, key: '' }] : [];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value: within } = place;
    if ('length' in within && isObject(within.length) && !isMeasurable(within.length)) return pathOf(place);
    for (const [key, inner] of Object.entries(within) as [string, unknown][])
      if (isObject(inner)) open.push({ value: inner, key, in: place });
  }
  return undefined;
}

function pathOf(place: Place): string[] {
  const path: string[] = [];
  for (let at = place; at.in !== undefined; at = at.in) path.push(at.key);
  return path.reverse();
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** What zod does with it. */
function isMeasurable(length: object): boolean {
  try {
    void Number(length);
    return true;
  } catch {
    return false;
  }
}
