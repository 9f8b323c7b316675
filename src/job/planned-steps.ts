import type { JobSpec } from '../contracts/job-spec.js';

export interface PlannedStep {
  name: string;
  /** `container`: a script in a container; `files`: the worker moves files in or out of one. */
  kind: 'container' | 'files';
}

/** Which steps a job has, in order: a function of the job alone. A step that would do nothing is left out. Free of Node. */
export function plannedSteps(spec: JobSpec): PlannedStep[] {
  const strategy =
    spec.variables.findLast((variable) => variable.key === 'GIT_STRATEGY')?.value ?? spec.source?.strategy;
  const fetches = spec.source !== undefined && strategy !== 'none';
  return [
    step('get_sources', 'container', fetches),
    step('restore_cache', 'files', spec.caches.length > 0),
    step(
      'download_artifacts',
      'files',
      spec.dependencies.some((dependency) => dependency.filename !== ''),
    ),
    ...spec.steps.filter(({ script }) => script.length > 0).map(({ name }) => step(`step_${name}`, 'container', true)),
    step('after_script', 'container', spec.afterScript.length > 0),
    step('archive_cache', 'files', spec.caches.length > 0),
    step('upload_artifacts', 'files', spec.artifacts.length > 0),
  ].flat();
}

function step(name: string, kind: PlannedStep['kind'], wanted: boolean): PlannedStep[] {
  return wanted ? [{ name, kind }] : [];
}
