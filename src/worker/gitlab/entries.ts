import { readFileSync } from 'node:fs';
import { ApplicationFailure } from '@temporalio/common';
import type { Coordinators } from '../../activities/report-to-coordinator.js';
import type { Config } from '../../config/schema.js';
import { createGitlabClient, type GitlabClient } from '../../gitlab/client.js';
import { createHttp } from '../../gitlab/http.js';
import { runnerInfo } from '../../gitlab/info.js';
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
          job: found.client.job({ id: coordinator.jobId, token: coordinator.token }),
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
    observe: (endpoint, status) => options.metrics?.apiRequests.inc({ endpoint, status: String(status) }),
  });
  return createGitlabClient({
    http,
    token: () => tokenOf(entry),
    systemId: options.systemId,
    info: runnerInfo(options.revision),
  });
}

/** Read each time: a token that is rotated in its file needs no restart. */
function tokenOf(entry: GitlabEntry): string {
  return entry.tokenFile === undefined ? (entry.token ?? '') : readFileSync(entry.tokenFile, 'utf8').trim();
}
