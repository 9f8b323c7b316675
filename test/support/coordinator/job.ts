import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export type JobStatus = 'pending' | 'running' | 'canceling' | 'success' | 'failed' | 'canceled';

export interface StoredArtifact {
  type: string;
  format: string;
  filename: string;
  expireIn: string | undefined;
  bytes: Buffer;
  sha256: string;
  /** Status of the job when it came. */
  during: JobStatus;
}

export interface FinalReport {
  state: string;
  failureReason: string | undefined;
  exitCode: number | undefined;
  checksum: string | undefined;
  bytesize: number | undefined;
}

/** What the coordinator knows of one job. */
export interface CoordinatorJob {
  readonly id: number;
  readonly token: string;
  readonly payload: Record<string, unknown>;
  readonly options: JobOptions;
  status: JobStatus;
  trace: Buffer;
  artifacts: StoredArtifact[];
  /** Final reports in the order in which they came, those that were answered 202 too. */
  reports: FinalReport[];
  /** The report that decided. */
  final: FinalReport | undefined;
  handedOver: number;
  patches: number;
  /** Chunks of the log that did not begin at its end: repetitions, and those of a writer that was overtaken. */
  misplaced: number;
  /** All that was said of it, in order. */
  calls: JobCall[];
  /** Final reports after the one that decided. */
  lateReports: number;
  keepAlives: number;
  touchedAtMs: number;
  runningAtMs: number;
  /** When its final report was taken. */
  overAtMs: number | undefined;
  /** An answer to the final report was lost on purpose: what follows may be a repetition. */
  answerLost: boolean;
  /** How often `debug_trace=true` was said with a part of the trace. */
  debugPatches: number;
  /** Largest part of the trace. */
  largestPatch: number;
}

export interface JobCall {
  endpoint: string;
  /** As which host and port the coordinator was addressed: tells its clients apart where each has a way of its own. */
  host: string;
  /** A chunk of the log that did not begin at its end. */
  misplaced: boolean;
}

export interface JobOptions {
  /** How often a final report is answered 202 before it counts. */
  pendingReports?: number;
  /** Texts that must not appear in the trace. */
  forbidden?: string[];
  /** Seconds of `X-GitLab-Trace-Update-Interval`. */
  updateInterval?: number;
  /** Hand the job over this many times, as a server with a stale replica might. */
  handOver?: number;
  /** The plan's limit of the trace; default: the coordinator's. */
  traceLimitBytes?: number;
  /** The limit of an artifact; default: the coordinator's. */
  artifactLimitBytes?: number;
  /** Handed over instead of the payload: what is no job, or no JSON. */
  rawBody?: string;
  /** Status of the 403 to the first calls of a job, as a lagging replica answers: so many, and no others. */
  lagging?: { status: string; times: number };
  /** Uploads are sent on with 307 or 308: to another path of the server, or to another server that knows no token. */
  redirectUploads?: { status: 307 | 308; to: 'here' | 'elsewhere' };
}

export function isOver(status: JobStatus): boolean {
  return status === 'success' || status === 'failed' || status === 'canceled';
}

export function createJob(id: number, payload: Record<string, unknown>, options: JobOptions): CoordinatorJob {
  return {
    id,
    token: String(payload['token']),
    payload,
    options,
    status: 'pending',
    trace: Buffer.alloc(0),
    artifacts: [],
    reports: [],
    final: undefined,
    handedOver: 0,
    patches: 0,
    misplaced: 0,
    calls: [],
    lateReports: 0,
    keepAlives: 0,
    touchedAtMs: Date.now(),
    runningAtMs: 0,
    overAtMs: undefined,
    answerLost: false,
    debugPatches: 0,
    largestPatch: 0,
  };
}

/** `crc32:` and eight hexadecimal digits, as in the final report. */
export function checksumOf(bytes: Buffer): string {
  return `crc32:${crc32(bytes).toString(16).padStart(8, '0')}`;
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const FORMATS: Record<string, string[]> = {
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
};

/** gitlab-protocol section 1.9: the one format of a type. */
export function isKnownPair(type: string, format: string): boolean {
  return FORMATS[format]?.includes(type) ?? false;
}
