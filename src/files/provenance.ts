import type { ProvenanceFacts } from '../job/provenance-facts.js';

/** A file of an archive, as a statement names it. */
export interface Subject {
  name: string;
  sha256: string;
}

/**
 * GitLab's artifact provenance metadata: an in-toto statement that binds an SLSA provenance to the files of an archive. Of variables
 * it tells the names alone. The commit stands under `sha256`, as GitLab documents it, whatever hash git used.
 */
export function provenanceStatement(facts: ProvenanceFacts, subjects: readonly Subject[], finishedAt: Date): string {
  const { source, commit, entryPoint, job, runner, builder, version, architecture, startedAt } = facts;
  const statement = {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicate: {
      buildDefinition: {
        // What the parameters below mean is written there.
        buildType: 'https://gitlab.com/gitlab-org/gitlab-runner/-/blob/main/PROVENANCE.md',
        externalParameters: {
          ...Object.fromEntries(facts.variables.map((name) => [name, ''])),
          entryPoint,
          source,
        },
        internalParameters: { architecture, executor: 'docker', job, name: runner },
        resolvedDependencies: [{ uri: source, digest: { sha256: commit } }],
      },
      runDetails: {
        builder: { id: builder, version: { holdfast: version } },
        metadata: { invocationID: job, startedOn: startedAt, finishedOn: rfc3339(finishedAt) },
      },
    },
  };
  return `${JSON.stringify(statement, null, 1)}\n`;
}

function rfc3339(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}
