import { z } from 'zod';

/** JSON Schema of what a person may write, for editors. */
export type EditorSchema = Record<string, unknown>;

/**
 * What zod cannot say by itself: a value that is made a list before it is checked may be given without the list.
 * @param title shown by editors
 */
export function toEditorSchema(schema: z.ZodType, title: string): EditorSchema {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    // draft-07 is what editors' YAML plugins understand
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // Bounds against abuse, not for people.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if ((jsonSchema.maxLength ?? 0) > 100_000) delete jsonSchema.maxLength;
      if (jsonSchema.type !== 'array' || !isListOrOne(zodSchema)) return;
      const { items } = jsonSchema;
      const list = { ...jsonSchema };
      for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
      Object.assign(jsonSchema, { anyOf: [items, list] });
    },
  });
  return { $schema, title, ...rest };
}

/** `z.preprocess(wrap, z.array(…))`: in this code always "one, or a list of them". */
function isListOrOne(schema: z.core.$ZodType): boolean {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  return def.type === 'pipe' && (def.in as z.core.$ZodTypes)._zod.def.type === 'transform';
}
