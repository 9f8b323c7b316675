import { readFileSync } from 'node:fs';
import { ApplicationFailure } from '@temporalio/common';
import type { Coordinators } from '../../activities/report-to-coordinator.js';
import { tokenVariableOf } from '../../config/load.js';
import { proxiesFromEnvironment } from '../../config/proxies.js';
import type { Config } from '../../config/schema.js';
import type { Variable } from '../../contracts/job-spec.js';
import { createGitlabClient, type GitlabClient } from '../../gitlab/client.js';
import { createHttp } from '../../gitlab/http.js';
import { runnerInfo } from '../../gitlab/info.js';
import type { GitlabEntryFacts } from '../../gitlab/payload/index.js';
import { isOfEveryJob } from '../../job/variables.js';
import type { WorkerMetrics } from '../../telemetry/metrics.js';

export type GitlabEntry = Config['gitlab'][number];

/** The `gitlab[]` entries, each with its client. */
export interface GitlabEntries {
  readonly all: readonly { entry: GitlabEntry; client: GitlabClient }[];
  readonly coordinators: Coordinators;
  close(): Promise<void>;
}

export function openGitlabEntries(
  settings: Config['gitlab'],
  options: { systemId: string; revision: string; metrics?: WorkerMetrics },
): GitlabEntries {
  const all = settings.map((entry) => ({ entry, client: openGitlabClient(entry, options) }));
  return {
    all,
    coordinators: {
      open(coordinator) {
        // An entry may be renamed while its jobs run; the URL is what a job is bound to.
        const found =
          all.find(({ entry }) => entry.name === coordinator.entry) ??
          all.find(({ entry }) => entry.url === coordinator.url);
        if (found === undefined) {
          throw ApplicationFailure.create({
            type: 'COORDINATOR_UNKNOWN',
            message: `This worker has no gitlab entry "${coordinator.entry}"; one that has it goes on`,
            nonRetryable: false,
          });
        }
        return {
          job: found.client.job({
            id: coordinator.jobId,
            token: coordinator.token,
            debugTrace: coordinator.debugTrace,
          }),
          silenceLimitMs: found.entry.giveUpAfter,
        };
      },
    },
    async close() {
      await Promise.all(all.map(({ client }) => client.close()));
    },
  };
}

export function openGitlabClient(
  entry: GitlabEntry,
  options: { systemId: string; revision: string; metrics?: WorkerMetrics },
): GitlabClient {
  const pem = (file: string) => readFileSync(file, 'utf8');
  const http = createHttp({
    url: entry.url,
    ...(entry.ca === undefined ? {} : { ca: pem(entry.ca) }),
    ...(entry.cert === undefined ? {} : { cert: pem(entry.cert) }),
    ...(entry.key === undefined ? {} : { key: pem(entry.key) }),
    proxies: proxiesFromEnvironment(),
    observe: (endpoint, status) => options.metrics?.apiRequests.inc({ endpoint, status: String(status) }),
  });
  return createGitlabClient({
    http,
    token: () => tokenOf(entry),
    systemId: options.systemId,
    info: runnerInfo(options.revision),
  });
}

/** What the entry adds to each of its jobs. @throws when a file that it names cannot be read */
export function factsOfEntry(entry: GitlabEntry): GitlabEntryFacts {
  const { name, url, pool, outputLimit, cloneUrl } = entry;
  const own = Object.entries(entry.environment)
    // The runner's own outrank an entry's, and a job's both (gitlab-protocol section 6.1).
    .filter(([key]) => !isOfEveryJob(key))
    .map(([key, value]) => ({ ...PLAIN, key, value, raw: false }));
  return {
    name,
    url,
    pool,
    outputLimitBytes: outputLimit,
    environment: [
      { ...PLAIN, key: 'CI_RUNNER_SHORT_TOKEN', value: shortToken(tokenOf(entry)), public: true },
      ...own,
      ...tlsFiles(entry),
    ],
    ...(cloneUrl === undefined ? {} : { cloneUrl }),
    scripts: {
      ...(entry.preGetSourcesScript === undefined ? {} : { preGetSources: entry.preGetSourcesScript }),
      ...(entry.postGetSourcesScript === undefined ? {} : { postGetSources: entry.postGetSourcesScript }),
      ...(entry.preBuildScript === undefined ? {} : { preBuild: entry.preBuildScript }),
      ...(entry.postBuildScript === undefined ? {} : { postBuild: entry.postBuildScript }),
    },
  };
}

/** What a job needs to reach a GitLab that only shows itself to who has a certificate. */
function tlsFiles({ ca, cert, key }: GitlabEntry): Variable[] {
  const file = (name: string, path: string | undefined, masked = false) =>
    path === undefined ? [] : [{ ...PLAIN, key: name, value: readFileSync(path, 'utf8'), file: true, masked }];
  return [
    ...file('CI_SERVER_TLS_CA_FILE', ca),
    ...file('CI_SERVER_TLS_CERT_FILE', cert),
    ...file('CI_SERVER_TLS_KEY_FILE', key, true),
  ];
}

const PLAIN = { public: false, masked: false, raw: true, file: false };

/** As GitLab shows a runner (gitlab-protocol section 4.1): without its kind's prefix, the first nine characters. */
export function shortToken(token: string): string {
  return token
    .replace(/^(?:glrt-|glrtr-|glcbt-|GR[0-9a-fA-F]{7})/, '')
    .replace(/^t[123]_/, '')
    .slice(0, 9);
}

/** Read each time: a token that is rotated in its file needs no restart. @throws when there is none */
function tokenOf(entry: GitlabEntry): string {
  const token = entry.tokenFile === undefined ? entry.token : readFileSync(entry.tokenFile, 'utf8').trim();
  if (token !== undefined && token !== '') return token;
  throw new Error(
    entry.tokenFile === undefined
      ? `The gitlab entry "${entry.name}" has no token: "holdfast register" writes one, or set tokenFile or ${tokenVariableOf(entry.name)}`
      : `The token file ${entry.tokenFile} of the gitlab entry "${entry.name}" is empty`,
  );
}
