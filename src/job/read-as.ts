import { z } from 'zod';

/**
 * What `safeParse` says, of strangers' values too: zod measures the `length` of anything that has one, also of a mapping where text or a
 * list belongs, and throws when that is itself a mapping of which no number can be made.
 */
export function readAs<T extends z.ZodType>(
  schema: T,
  value: unknown,
  options?: z.core.ParseContext<z.core.$ZodIssue>,
): { success: true; data: z.output<T> } | { success: false; error: z.ZodError } {
  try {
    return schema.safeParse(value, options);
  } catch (error) {
    const message = `cannot be read: a mapping stands where text or a list belongs (${String(error)})`;
    return { success: false, error: new z.ZodError([{ code: 'custom', path: [], message, input: value }]) };
  }
}
