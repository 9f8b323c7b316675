import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { unpackZip } from '../../test/support/gitlab/unpack.js';
import { whole } from '../../test/support/archives.js';
import type { ResolvedVariables } from '../job/variables.js';
import { provenanceFacts } from '../job/provenance-facts.js';
import { packZip, type Statement } from './pack.js';
import { provenanceStatement } from './provenance.js';
import type { SelectedEntry } from './source.js';

const VARIABLES: Record<string, string> = {
  RUNNER_GENERATE_ARTIFACTS_METADATA: 'true',
  CI_PROJECT_URL: 'https://gitlab.example/acme/widget',
  CI_COMMIT_SHA: '1f2e3d4c5b6a79880011223344556677889900aa',
  CI_JOB_NAME: 'build',
  CI_JOB_ID: '4711',
  CI_JOB_STARTED_AT: '2026-01-31T12:00:00Z',
  CI_RUNNER_ID: '12',
  CI_RUNNER_DESCRIPTION: 'the runner',
  CI_RUNNER_EXECUTABLE_ARCH: 'linux/amd64',
  PASSWORD: 'not to be told',
};

function resolved(variables: Record<string, string>): ResolvedVariables {
  return {
    exports: Object.entries(variables).map(([key, value]) => ({ key, value })),
    files: [],
    lookup: (name) => variables[name],
    content: (name) => variables[name],
    predefined: [],
  };
}

const FACTS = { version: '1.2.3', jobId: '1' };

async function* entriesOf(files: Record<string, string>): AsyncGenerator<SelectedEntry> {
  for (const [path, content] of Object.entries(files))
    yield await Promise.resolve({
      path,
      header: { name: path, type: 'file' } as SelectedEntry['header'],
      content: Readable.from([content]),
    });
}

function statement(): Statement {
  const facts = provenanceFacts(resolved(VARIABLES), FACTS);
  if (facts === undefined) throw new Error('the test is wrong');
  return {
    name: 'all-metadata.json',
    about: (subjects) => provenanceStatement(facts, subjects, new Date('2026-01-31T12:01:02.345Z')),
  };
}

async function packed(files: Record<string, string>): Promise<Map<string, string>> {
  return await unpackZip(await whole(packZip(entriesOf(files), { files: 0 }, { statement: statement() })));
}

describe('the provenance of artifacts', () => {
  it('is in the archive only of a job that asks for it', () => {
    expect(
      provenanceFacts(resolved({ ...VARIABLES, RUNNER_GENERATE_ARTIFACTS_METADATA: 'false' }), FACTS),
    ).toBeUndefined();
    expect(provenanceFacts(resolved({}), FACTS)).toBeUndefined();
  });

  it('names each file with its checksum, the project, the commit, the job and the runner', async () => {
    const members = await packed({ 'out/a': 'A', b: '' });
    const told = JSON.parse(members.get('all-metadata.json') ?? '') as Record<string, unknown>;

    expect([...members.keys()].sort()).toEqual(['all-metadata.json', 'b', 'out/a']);
    expect(told).toMatchObject({
      _type: 'https://in-toto.io/Statement/v0.1',
      predicateType: 'https://slsa.dev/provenance/v1',
      subject: [
        { name: 'out/a', digest: { sha256: createHash('sha256').update('A').digest('hex') } },
        { name: 'b', digest: { sha256: createHash('sha256').digest('hex') } },
      ],
      predicate: {
        buildDefinition: {
          externalParameters: { entryPoint: 'build', source: 'https://gitlab.example/acme/widget', CI_JOB_ID: '' },
          internalParameters: { architecture: 'amd64', executor: 'docker', job: '4711', name: 'the runner' },
          resolvedDependencies: [
            {
              uri: 'https://gitlab.example/acme/widget',
              digest: { sha256: '1f2e3d4c5b6a79880011223344556677889900aa' },
            },
          ],
        },
        runDetails: {
          builder: { id: 'https://gitlab.example/acme/widget/-/runners/12', version: { holdfast: '1.2.3' } },
          metadata: { invocationID: '4711', startedOn: '2026-01-31T12:00:00Z', finishedOn: '2026-01-31T12:01:02Z' },
        },
      },
    });
  });

  it('tells the names of variables and no value', async () => {
    const text = (await packed({ a: 'A' })).get('all-metadata.json') ?? '';

    expect(text).toContain('"PASSWORD": ""');
    expect(text).not.toContain('not to be told');
  });

  it('cannot be given by the job itself, and is not made for nothing', async () => {
    const members = await packed({ a: 'A', 'all-metadata.json': 'forged' });

    expect(members.get('all-metadata.json')).toContain('in-toto');
    expect(await packed({})).toEqual(new Map());
  });
});
