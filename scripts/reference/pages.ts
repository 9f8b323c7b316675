import { format, resolveConfig } from 'prettier';
import { toEditorSchema } from '../../src/config/editor-schema.js';
import { ConfigSchema } from '../../src/config/schema.js';
import { JobFileSchema } from '../../src/job/job-file.js';
import { configurationPage } from './configuration-page.js';
import { errorsPage } from './errors-page.js';

/** Every generated file of `docs/` with its content, as prettier leaves it. */
export async function referencePages(): Promise<Record<string, string>> {
  const pages = {
    'docs/errors.md': errorsPage(),
    'docs/configuration.md': configurationPage(),
    'docs/schema/holdfast.schema.json': JSON.stringify(toEditorSchema(ConfigSchema, 'Holdfast configuration')),
    'docs/schema/job.schema.json': JSON.stringify(toEditorSchema(JobFileSchema, 'Holdfast job file')),
  };
  const formatted = Object.entries(pages).map(async ([file, text]) => {
    const options = await resolveConfig(file);
    return [file, await format(text, { ...options, filepath: file })] as const;
  });
  return Object.fromEntries(await Promise.all(formatted));
}
