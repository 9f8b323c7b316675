// Workflow code is bundled at build time: at start it would cost seconds and memory (design: "Numbers that shape it").
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const workflowsPath = path('../dist/workflows/index.js');
const queryAhead = path('../dist/workflows/query-ahead.js');
const { code } = await bundleWorkflowCode({ workflowsPath, workflowInterceptorModules: [queryAhead] });
await writeFile(path('../dist/workflow-bundle.js'), code);
// For workers with `telemetry.otlp`: the interceptors run in the sandbox, so they must be in its bundle.
const traced = await bundleWorkflowCode({
  workflowsPath,
  workflowInterceptorModules: [
    queryAhead,
    fileURLToPath(import.meta.resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors.js')),
  ],
});
await writeFile(path('../dist/workflow-bundle-traced.js'), traced.code);
