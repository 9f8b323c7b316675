import { ConfigSchema } from '../../src/config/schema.js';
import { toEditorSchema, type EditorSchema } from '../../src/config/editor-schema.js';
import { table } from './markdown.js';

const ABOUT = `# Configuration

Written from the schema by \`npm run reference\`; a test compares both. A YAML file, \`holdfast.yaml\` or \`--config FILE\`; every key has
a default except those of \`gitlab\`. Unknown keys are errors, and all problems of a file are told at once. \`holdfast check\` tries
every server that it names. Times are \`5s\`, \`1h 30m\` or seconds; sizes \`512m\`, \`4MiB\` or bytes.

Editors check the file while it is written, with this as its first line:

\`\`\`yaml
# yaml-language-server: $schema=docs/schema/holdfast.schema.json
\`\`\`

The same holds for job files with [\`job.schema.json\`](schema/job.schema.json). Two values may come by environment instead:
\`HOLDFAST_GITLAB_TOKEN_<NAME>\` (a \`gitlab\` entry's token) and \`HOLDFAST_LOG_LEVEL\`.
`;

interface Row {
  key: string;
  schema: EditorSchema;
}

/** The page `docs/configuration.md`. */
export function configurationPage(): string {
  const root = toEditorSchema(ConfigSchema, '');
  const sections = Object.entries(propertiesOf(root)).map(([name, schema]) => {
    const list = schema['type'] === 'array';
    const rows = flatten(list ? (schema['items'] as EditorSchema) : schema, '');
    const title = list ? `\`${name}[]\`` : `\`${name}\``;
    return `## ${title}\n\n${table(['key', 'value', 'default', ''], rows.map(toCells))}`;
  });
  return [ABOUT, ...sections].join('\n');
}

function toCells({ key, schema }: Row): string[] {
  const fallback = schema['default'];
  return [
    `\`${key}\``,
    valueOf(schema),
    fallback === undefined ? '' : `\`${JSON.stringify(fallback)}\``,
    typeof schema['description'] === 'string' ? schema['description'] : '',
  ];
}

function flatten(schema: EditorSchema, prefix: string): Row[] {
  const forms = (schema['anyOf'] as EditorSchema[] | undefined)?.filter((form) => form['type'] === 'object');
  if (forms !== undefined && prefix === '') return forms.flatMap((form) => flatten(form, prefix));
  return Object.entries(propertiesOf(schema)).flatMap(([name, inner]) => {
    const key = `${prefix}${name}`;
    return isPlain(inner) ? flatten(inner, `${key}.`) : [{ key, schema: inner }];
  });
}

/** A mapping of fixed keys; one of free keys (`labels`) is a value. */
function isPlain(schema: EditorSchema): boolean {
  return schema['type'] === 'object' && Object.keys(propertiesOf(schema)).length > 0;
}

function valueOf(schema: EditorSchema): string {
  const forms = schema['anyOf'] as EditorSchema[] | undefined;
  if (forms !== undefined) return [...new Set(forms.map(valueOf))].join(' or ');
  const choices = schema['enum'] as string[] | undefined;
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(', ');
  if (schema['type'] === 'array') return `list of ${valueOf(schema['items'] as EditorSchema)}`;
  if (schema['type'] === 'object') {
    const keys = Object.keys(propertiesOf(schema));
    return keys.length === 0 ? 'mapping' : `{${keys.join(', ')}}`;
  }
  if (schema['format'] === 'uri') return 'URL';
  return Array.isArray(schema['type']) ? 'text or number' : typeName(String(schema['type']));
}

function typeName(type: string): string {
  return { string: 'text', boolean: 'true or false' }[type] ?? type;
}

function propertiesOf(schema: EditorSchema): Record<string, EditorSchema> {
  return (schema['properties'] ?? {}) as Record<string, EditorSchema>;
}
