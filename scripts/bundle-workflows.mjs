// Workflow code is bundled at build time: at start it would cost seconds and memory (design: "Numbers that shape it").
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const { code } = await bundleWorkflowCode({ workflowsPath: path('../dist/workflows/index.js') });
await writeFile(path('../dist/workflow-bundle.js'), code);
