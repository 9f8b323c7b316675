import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { tarOf, untar, whole } from '../../test/support/archives.js';
import { startCoordinator, type TestCoordinator } from '../../test/support/coordinator/coordinator.js';
import type { DeliverResult, FilesResult, StepInput } from '../contracts/activities.js';
import type { Coordinator } from '../contracts/ci-job.js';
import type { DependencySpec } from '../contracts/job-spec.js';
import { createGitlabClient, type GitlabClient, type JobApi } from '../gitlab/client.js';
import { createHttp } from '../gitlab/http.js';
import { runnerInfo } from '../gitlab/info.js';
import { createDirectoryStore } from '../store/directory-store.js';
import { jobKeys } from '../store/keys.js';
import { StoreError, type Store } from '../store/store.js';
import { createDownloadArtifacts, createFetchDependencies } from './dependencies.js';
import type { EngineDeps } from './deps.js';
import type { CoordinatorDeps } from './report-to-coordinator.js';

const JOB = 'gitlab/gitlab.example/1';
let coordinator: TestCoordinator;
let client: GitlabClient;
let directory: string;
let store: Store;
let logged: string[];
/** Of each try: whether object storage itself was wished. */
let wished: boolean[];

beforeEach(async () => {
  coordinator = await startCoordinator();
  client = createGitlabClient({
    http: createHttp({ url: coordinator.url }),
    token: () => coordinator.runnerToken,
    systemId: 'r_0123456789ab',
    info: runnerInfo(),
  });
  directory = mkdtempSync(join(tmpdir(), 'holdfast-dependencies-'));
  store = createDirectoryStore({ directory });
  logged = [];
  wished = [];
});

afterEach(async () => {
  await client.close();
  await coordinator.close();
  rmSync(directory, { recursive: true });
});

async function zipOf(files: Record<string, string>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  return await whole(zip.outputStream);
}

/** An earlier job at GitLab. */
function earlier(
  name: string,
  archive: Buffer,
  how: Parameters<TestCoordinator['addDependency']>[1] = {},
): DependencySpec {
  return { ...coordinator.addDependency(archive, how), name, filename: 'artifacts.zip', size: archive.length };
}

function shared(dependencies: DependencySpec[]) {
  return {
    store,
    plans: { load: () => Promise.resolve({ plan: { dependencies, projectDirectory: '/builds/a/b' } }) },
    logger: { warn: (_facts: object, text: string) => logged.push(text) },
    lifecycle: { handover: new AbortController().signal, pausedJustNow: () => false },
  };
}

async function fetchAll(
  dependencies: DependencySpec[],
  environment = new MockActivityEnvironment(),
): Promise<DeliverResult> {
  const deps = {
    ...shared(dependencies),
    coordinators: {
      open({ jobId, token }: Coordinator) {
        const job = client.job({ id: jobId, token });
        const downloadArtifact: JobApi['downloadArtifact'] = (how, signal) => {
          wished.push(how.direct);
          return job.downloadArtifact(how, signal);
        };
        return { job: { ...job, downloadArtifact }, silenceLimitMs: 1000 };
      },
    },
  } as unknown as CoordinatorDeps;
  const { fetchDependencies } = createFetchDependencies(deps);
  const input = {
    workflowId: JOB,
    attempt: 1,
    coordinator: { kind: 'gitlab', jobId: 1, token: 'of-the-job' } as Coordinator,
  };
  return await environment.run(fetchDependencies, input);
}

async function extractAll(dependencies: DependencySpec[], fail?: Error) {
  const extracted: string[] = [];
  const deps = {
    ...shared(dependencies),
    engine: {
      async extract(_machine: string, _role: string, path: string, tar: Readable) {
        const bytes = await whole(tar);
        if (fail !== undefined) throw fail;
        extracted.push(...(await untar(bytes)).map((member) => `${path}/${member}`));
      },
    },
  } as unknown as EngineDeps;
  const { downloadArtifacts } = createDownloadArtifacts(deps);
  const input: StepInput = {
    workflowId: JOB,
    attempt: 1,
    engine: 'e',
    machine: 'm',
    step: 'download_artifacts',
    environment: {},
  };
  const result: FilesResult = await new MockActivityEnvironment().run(downloadArtifacts, input);
  return { extracted, ...result };
}

describe('archives of other jobs, from GitLab to the store', () => {
  it('are fetched in order, each with the token of its own, and said', async () => {
    const all = [
      earlier('build', await zipOf({ a: 'A' })),
      earlier('docs', Buffer.from('anything'), { redirect: true }),
    ];
    const { ok, text } = await fetchAll(all);

    expect(ok).toBe(true);
    expect(text).toMatch(/Downloading artifacts for build \(\d+\)(.|\n)*Downloading artifacts for docs \(\d+\)/);
    expect((await store.read(jobKeys.dependency(JOB, all[1]!.id)))?.toString()).toBe('anything');
    expect(coordinator.violations).toEqual([]);
  });

  it('are asked for again after errors, resets and answers that break off', async () => {
    const dependency = earlier('build', Buffer.alloc(100_000, 'x'));
    coordinator.faults.add({ endpoint: 'download', action: { kind: 'status', status: 502 } });
    coordinator.faults.add({ endpoint: 'download', action: { kind: 'reset' } });
    coordinator.faults.add({ endpoint: 'download', action: { kind: 'halfAnswer' } });

    expect(await fetchAll([dependency])).toMatchObject({ ok: true });
    expect(await store.size(jobKeys.dependency(JOB, dependency.id))).toBe(100_000);
    expect(coordinator.faults.unused()).toEqual([]);
    expect(logged).toHaveLength(3);
    // Object storage may be what is ill.
    expect(wished).toEqual([true, false, false, false]);
  });

  it('that are there from an earlier delivery are not asked for again', async () => {
    const dependency = earlier('build', Buffer.from('x'));
    await fetchAll([dependency]);
    coordinator.faults.add({ endpoint: 'download', action: { kind: 'status', status: 404 } });

    expect(await fetchAll([dependency])).toMatchObject({ ok: true });
    expect(coordinator.faults.unused()).toHaveLength(1);
  });

  it.each([
    [404, /404 not found/],
    [403, /403 this job may not/],
    [401, /401 this job may not/],
  ])('that GitLab will not give (%i) end it at once, and no other is fetched', async (status, words) => {
    const later = earlier('later', Buffer.from('x'));
    const { ok, text } = await fetchAll([earlier('build', Buffer.from('x'), { status }), later]);

    expect(ok).toBe(false);
    expect(text).toMatch(words);
    expect(text).not.toContain('later');
    expect(await store.size(jobKeys.dependency(JOB, later.id))).toBeUndefined();
  });

  it('that the store does not take are its failure and not theirs', async () => {
    const dependency = earlier('build', Buffer.from('x'));
    store = { ...store, write: () => Promise.reject(new StoreError('STORE_FULL', 'no space left')) };

    await expect(fetchAll([dependency])).rejects.toMatchObject({ type: 'STORE_FULL' });
  });

  it('are waited for no longer once the job is canceled', async () => {
    const environment = new MockActivityEnvironment();
    coordinator.faults.add({ endpoint: 'download', action: { kind: 'status', status: 503 }, times: 1000 });
    const fetched = fetchAll([earlier('build', Buffer.from('x'))], environment);
    environment.cancel();

    await expect(fetched).rejects.toThrow(/cancel/i);
  });
});

describe('archives of other jobs, from the store to the project', () => {
  it('are unpacked in order, whatever their kind', async () => {
    const all = [
      earlier('zip', await zipOf({ 'out/a': 'A' })),
      earlier('tar', gzipSync(await tarOf([{ name: 'out/b', content: 'B' }]))),
    ];
    await fetchAll(all);
    const { ok, extracted } = await extractAll(all);

    expect(ok).toBe(true);
    expect(extracted).toEqual(['/builds/a/b/out/a=A', '/builds/a/b/out/b=B']);
  });

  it('leave out what would leave the project, and say so', async () => {
    const hostile = earlier(
      'build',
      gzipSync(
        await tarOf([
          { name: '../../etc/evil', content: 'x' },
          { name: 'good', content: 'G' },
        ]),
      ),
    );
    await fetchAll([hostile]);
    const { ok, extracted, text } = await extractAll([hostile]);

    expect(ok).toBe(true);
    expect(extracted).toEqual(['/builds/a/b/good=G']);
    expect(text).toContain('../../etc/evil is not extracted: it lies outside of the project');
  });

  it('that are damaged fail the job with a line that names them', async () => {
    const page = earlier('build', Buffer.from('<html>'));
    await fetchAll([page]);
    const { ok, text } = await extractAll([page]);

    expect(ok).toBe(false);
    expect(text).toMatch(/artifacts of build \(\d+\) cannot be extracted: it is neither a ZIP nor a tar.gz/);
  });

  it('that are gone from the store fail the job, and those after them are unpacked all the same', async () => {
    const there = earlier('there', await zipOf({ a: 'A' }));
    await fetchAll([there]);
    const { ok, extracted, text } = await extractAll([earlier('gone', Buffer.from('x')), there]);

    expect(ok).toBe(false);
    expect(text).toMatch(/Artifacts of gone \(\d+\) are no longer in the store/);
    expect(extracted).toEqual(['/builds/a/b/a=A']);
  });

  it('are unpacked again when the engine was what failed', async () => {
    const dependency = earlier('build', await zipOf({ a: 'A' }));
    await fetchAll([dependency]);

    await expect(extractAll([dependency], new Error('the engine is away'))).rejects.toMatchObject({
      nonRetryable: false,
    });
    expect((await extractAll([dependency])).extracted).toEqual(['/builds/a/b/a=A']);
  });
});
