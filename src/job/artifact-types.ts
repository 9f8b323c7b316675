/** GitLab's artifact types and the one format that it takes for each (gitlab-protocol section 1.9). */
const FORMATS = {
  zip: ['archive', 'lsif'],
  gzip: [
    'metadata',
    'junit',
    'metrics',
    'metrics_referee',
    'network_referee',
    'dotenv',
    'cobertura',
    'jacoco',
    'cluster_applications',
    'cyclonedx',
    'annotations',
    'repository_xray',
  ],
  raw: [
    'sast',
    'secret_detection',
    'dependency_scanning',
    'container_scanning',
    'cluster_image_scanning',
    'dast',
    'api_fuzzing',
    'coverage_fuzzing',
    'license_scanning',
    'codequality',
    'performance',
    'browser_performance',
    'load_performance',
    'terraform',
    'accessibility',
    'requirements',
    'requirements_v2',
  ],
} as const;

export type ArtifactFormat = keyof typeof FORMATS;

/** What `artifacts:reports` may name; `coverage_report` says its format itself. */
export const REPORT_TYPES = [
  ...FORMATS.gzip.filter((type) => type !== 'metadata' && type !== 'metrics_referee'),
  ...FORMATS.raw,
  'lsif',
  'coverage_report',
] as const;

/** @returns undefined for a type that GitLab does not know */
export function artifactFormat(type: string): ArtifactFormat | undefined {
  const formats = Object.entries(FORMATS) as [ArtifactFormat, readonly string[]][];
  return formats.find(([, types]) => types.includes(type))?.[0];
}
