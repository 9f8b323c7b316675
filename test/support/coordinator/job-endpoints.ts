import type { Artifacts } from './artifacts.js';
import type { Endpoint } from './faults.js';
import { json, type Answer, type Call } from './http.js';
import { checksumOf, type CoordinatorJob, type FinalReport, type JobCall } from './job.js';

/** What a runner says with a job's token, but for archives of other jobs. */
export type JobEndpoint = Extract<Endpoint, 'trace' | 'update' | 'upload'>;

const MAX_CHUNK_BYTES = 1024 * 1024;

/** @returns the rules of one job, from its being handed over to its final status (gitlab-protocol sections 1.6, 1.7 and 13) */
export function createJobEndpoints(deps: {
  jobs: ReadonlyMap<number, CoordinatorJob>;
  artifacts: Artifacts;
  /** The plan's limit. */
  traceLimitBytes: number;
  violation: (text: string) => void;
}): (endpoint: JobEndpoint, call: Call, id: number) => Promise<Answer> | Answer {
  const { jobs, artifacts, traceLimitBytes, violation } = deps;

  function ofJob(endpoint: JobEndpoint, call: Call, id: number): Promise<Answer> | Answer {
    const job = jobs.get(id);
    const given = endpoint === 'update' ? tokenInBody(call) : String(call.headers['job-token'] ?? '');
    if (endpoint === 'update' && given === undefined) return json(400, { error: 'token is missing' });
    if (job === undefined || job.token !== given) return json(403, { message: '403 Forbidden' });
    const said: JobCall = { endpoint, host: String(call.headers.host), misplaced: false };
    job.calls.push(said);
    const { lagging } = job.options;
    if (lagging !== undefined && lagging.times > 0) {
      lagging.times -= 1;
      return json(
        403,
        { message: '403 Forbidden - Job is not processing on runner' },
        { 'Job-Status': lagging.status },
      );
    }
    if (job.status !== 'running' && job.status !== 'canceling') {
      if (endpoint === 'update' && isFinalReport(call)) job.lateReports += 1;
      // Only who has reported the end can know of it; who has hung up before this was looked at said it earlier.
      const isLate = job.final !== undefined && job.reports.length > 0 && !job.answerLost && !call.gone();
      if (endpoint !== 'update' && isLate) {
        violation(`${endpoint} of job ${String(id)} after its final status`);
      }
      return json(403, { message: '403 Forbidden - Job is not processing on runner' }, { 'Job-Status': job.status });
    }
    job.touchedAtMs = Date.now();
    switch (endpoint) {
      case 'trace':
        return patchTrace(job, call, said);
      case 'update':
        return updateJob(job, call);
      default:
        return artifacts.upload(job, call);
    }
  }

  function patchTrace(job: CoordinatorJob, { headers, body, query }: Call, said: JobCall): Answer {
    const range = headers['content-range'];
    if (range === undefined) {
      violation('trace: no Content-Range');
      return json(400, { error: '400 Missing header Content-Range' });
    }
    const parts = /^(\d+)-(\d+)$/.exec(range);
    if (parts === null) violation(`trace: Content-Range is ${range}`);
    if (body.length === 0) violation('trace: an empty body');
    if (body.length > MAX_CHUNK_BYTES) violation(`trace: ${String(body.length)} bytes in one chunk`);
    const start = Number(parts?.[1] ?? 0);
    if (parts !== null && Number(parts[2]) !== start + body.length - 1) {
      violation(`trace: Content-Range ${range} with ${String(body.length)} bytes`);
    }
    const end = start + body.length;
    if (end > (job.options.traceLimitBytes ?? traceLimitBytes)) {
      finish(job, {
        state: 'failed',
        failureReason: 'trace_size_exceeded',
        exitCode: undefined,
        checksum: undefined,
        bytesize: undefined,
      });
      return json(403, { message: '403 Forbidden' });
    }
    job.patches += 1;
    job.largestPatch = Math.max(job.largestPatch, body.length);
    if (query.get('debug_trace') === 'true') job.debugPatches += 1;
    if (start > job.trace.length) {
      violation(`trace: a gap, ${String(start)} after ${String(job.trace.length)} bytes`);
    }
    if (start === job.trace.length) job.trace = Buffer.concat([job.trace, body]);
    else {
      job.misplaced += 1;
      said.misplaced = true;
    }
    if (job.trace.length !== end) return { status: 416, headers: { Range: `0-${String(job.trace.length)}` } };
    return {
      status: 202,
      headers: { Range: `0-${String(job.trace.length)}`, ...statusHeaders(job) },
    };
  }

  function updateJob(job: CoordinatorJob, { body }: Call): Answer {
    const given = JSON.parse(body.toString('utf8')) as {
      state?: string;
      failure_reason?: string;
      exit_code?: number;
      output?: { checksum?: string; bytesize?: number };
      info?: { features?: object };
    };
    if (given.state === 'running') {
      job.keepAlives += 1;
      return text(200, job);
    }
    if (given.state !== 'success' && given.state !== 'failed')
      return json(400, { error: 'state does not have a valid value' });
    const report: FinalReport = {
      state: given.state,
      failureReason: given.failure_reason,
      exitCode: given.exit_code,
      checksum: given.output?.checksum,
      bytesize: given.output?.bytesize,
    };
    checkReport(job, report);
    job.reports.push(report);
    const pending = job.options.pendingReports ?? 0;
    if (job.reports.length <= pending) {
      const backOff = String(Math.min(64, 2 ** (job.reports.length - 1)));
      return { ...text(202, job), headers: { ...statusHeaders(job), 'X-GitLab-Trace-Update-Interval': backOff } };
    }
    finish(job, report);
    return text(200, job);
  }

  function checkReport(job: CoordinatorJob, report: FinalReport): void {
    const name = `final report of job ${String(job.id)}`;
    if (report.bytesize !== job.trace.length) {
      violation(`${name}: bytesize ${String(report.bytesize)}, the trace has ${String(job.trace.length)}`);
    }
    if (report.checksum !== checksumOf(job.trace)) violation(`${name}: checksum ${String(report.checksum)}`);
    const [first] = job.reports;
    if (first !== undefined && (first.state !== report.state || first.failureReason !== report.failureReason)) {
      violation(`${name}: ${report.state} after ${first.state}`);
    }
    for (const secret of [job.token, ...(job.options.forbidden ?? [])]) {
      if (job.trace.includes(secret)) violation(`${name}: the trace shows a masked value`);
    }
  }

  return ofJob;
}

function finish(job: CoordinatorJob, report: FinalReport): void {
  job.final = report;
  job.overAtMs = Date.now();
  job.status = job.status === 'canceling' ? 'canceled' : (report.state as 'success' | 'failed');
}

function statusHeaders(job: CoordinatorJob): Record<string, string> {
  return {
    'Job-Status': job.status,
    'X-GitLab-Trace-Update-Interval': String(job.options.updateInterval ?? 3),
  };
}

function text(status: number, job: CoordinatorJob): Answer {
  return { status, body: String(status), headers: { 'Content-Type': 'text/plain', ...statusHeaders(job) } };
}

export function isFinalReport({ body }: Call): boolean {
  return /"state":\s*"(?:success|failed)"/.test(body.toString('utf8'));
}

function tokenInBody({ body }: Call): string | undefined {
  const { token } = JSON.parse(body.toString('utf8')) as { token?: string };
  return token;
}
