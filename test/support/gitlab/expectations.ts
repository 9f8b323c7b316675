import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MetricsDocument } from '../../../src/metrics/document.js';
import { jobKeys } from '../../../src/store/keys.js';
import type { CoordinatorJob, StoredArtifact } from '../coordinator/job.js';
import type { Stack } from '../stack.js';
import { unpackZip, unzipped } from './unpack.js';
import type { ArtifactExpectation, Expectation } from './scenario.js';

interface Told {
  job: CoordinatorJob;
  stack: Stack;
  workflowId: string;
  key: string;
}

/** @returns in what the job did not come out as expected, each a sentence */
export async function shortcomings(expect: Expectation, told: Told): Promise<string[]> {
  const { job } = told;
  return [
    ...reportShortcomings(expect, job),
    ...traceShortcomings(expect, job.trace.toString('utf8'), job.trace.length),
    ...(await artifactShortcomings(expect, job)),
    ...countShortcomings(expect, told),
    ...(await ownShortcomings(expect, told)),
  ];
}

function reportShortcomings(expect: Expectation, { final }: CoordinatorJob): string[] {
  return [
    ...differs('failure_reason', expect.failureReason, final?.failureReason ?? null),
    ...differs('exit_code', expect.exitCode, final?.exitCode ?? null),
  ];
}

function traceShortcomings({ trace: expect }: Expectation, text: string, bytes: number): string[] {
  if (expect === undefined) return [];
  const problems: string[] = [];
  for (const wanted of expect.has ?? []) if (!text.includes(wanted)) problems.push(`the trace has no "${wanted}"`);
  for (const unwanted of expect.hasNot ?? []) if (text.includes(unwanted)) problems.push(`the trace has "${unwanted}"`);
  for (const pattern of expect.matches ?? []) {
    if (!new RegExp(pattern, 'm').test(text)) problems.push(`the trace does not match /${pattern}/`);
  }
  for (const [wanted, count] of Object.entries(expect.counts ?? {})) {
    problems.push(...differs(`count of "${wanted}" in the trace`, count, text.split(wanted).length - 1));
  }
  let at = 0;
  for (const wanted of expect.inOrder ?? []) {
    const found = text.indexOf(wanted, at);
    if (found === -1) {
      problems.push(`the trace has no "${wanted}" where it was expected`);
      break;
    }
    at = found + wanted.length;
  }
  return [
    ...problems,
    ...atLeast('bytes of trace', expect.minBytes, bytes),
    ...atMost('bytes of trace', expect.maxBytes, bytes),
  ];
}

async function artifactShortcomings(expect: Expectation, { artifacts }: CoordinatorJob): Promise<string[]> {
  const problems: string[] = [];
  const metrics = artifacts.filter(({ type }) => type === 'metrics_referee');
  for (const each of metrics) problems.push(...metricsShortcomings(each));
  if (expect.metrics !== undefined) {
    problems.push(...differs('metrics_referee artifacts', expect.metrics === 'uploaded' ? 1 : 0, metrics.length));
  }
  if (expect.artifacts === undefined) return problems;
  const others = artifacts.filter(({ type }) => type !== 'metrics_referee');
  problems.push(
    ...differs(
      'artifacts',
      expect.artifacts.map(({ type }) => type).join(', '),
      others.map(({ type }) => type).join(', '),
    ),
  );
  if (problems.length > 0) return problems;
  for (const [index, wanted] of expect.artifacts.entries()) {
    const given = others[index];
    if (given !== undefined) problems.push(...(await oneArtifact(wanted, given)));
  }
  return problems;
}

async function oneArtifact(wanted: ArtifactExpectation, given: StoredArtifact): Promise<string[]> {
  const what = `artifact ${wanted.type}`;
  const problems = [
    ...differs(`${what}: format`, wanted.format, given.format),
    ...differs(`${what}: filename`, wanted.filename, given.filename),
    ...differs(`${what}: expire_in`, wanted.expireIn, given.expireIn ?? null),
    ...atLeast(`${what}: bytes`, wanted.minBytes, given.bytes.length),
  ];
  if (wanted.content !== undefined) problems.push(...differs(`${what}: content`, wanted.content, unzipped(given)));
  if (wanted.files === undefined && wanted.has === undefined) return problems;
  const members = await unpackZip(given.bytes);
  if (wanted.files !== undefined) {
    const files = [...members].filter(([name]) => !name.endsWith('/'));
    problems.push(
      ...differs(
        `${what}: files`,
        Object.keys(wanted.files).sort().join(' '),
        files
          .map(([name]) => name)
          .sort()
          .join(' '),
      ),
    );
    for (const [name, content] of Object.entries(wanted.files)) {
      if (content !== null) problems.push(...differs(`${what}: ${name}`, content, members.get(name)));
    }
  }
  for (const name of wanted.has ?? []) if (!members.has(name)) problems.push(`${what}: has no ${name}`);
  return problems;
}

/** What GitLab's consumers rely on: gzip, one object, lists of points of a number and a text. */
function metricsShortcomings(artifact: StoredArtifact): string[] {
  const problems = [
    ...differs('metrics_referee: format', 'gzip', artifact.format),
    ...differs('metrics_referee: filename', 'metrics_referee.json', artifact.filename),
    ...differs(
      'metrics_referee: status of the job when it came',
      true,
      ['running', 'canceling'].includes(artifact.during),
    ),
  ];
  const document: unknown = JSON.parse(unzipped(artifact));
  const series = typeof document === 'object' && document !== null ? Object.values(document) : [];
  const isPoint = (point: unknown) =>
    Array.isArray(point) && typeof point[0] === 'number' && typeof point[1] === 'string' && point.length === 2;
  const sound = series.every((points) => Array.isArray(points) && points.every(isPoint));
  if (series.length === 0 || !sound) problems.push(`metrics_referee: is not {"name": [[time, "value"], …]}`);
  return problems;
}

function countShortcomings(expect: Expectation, { job, stack, key }: Told): string[] {
  const marks = Object.entries(expect.marks ?? {}).flatMap(([name, count]) => {
    const file = join(stack.shared, `${key}.${name}`);
    const made = existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
    return differs(`mark ${name}`, count, made);
  });
  return [
    ...marks,
    ...atLeast('keep-alives', expect.minKeepAlives, job.keepAlives),
    ...atMost('keep-alives', expect.maxKeepAlives, job.keepAlives),
    ...atLeast('patches', expect.minPatches, job.patches),
    ...atMost('patches', expect.maxPatches, job.patches),
    ...atMost('bytes of one patch', expect.maxPatchBytes, job.largestPatch),
    ...differs('debug_trace', expect.debugTrace, job.debugPatches > 0),
    ...differs('final reports', expect.reports, job.reports.length),
    ...differs('times that it was handed over', expect.handedOver, job.handedOver),
  ];
}

/** GitLab and Holdfast must tell the same story. */
async function ownShortcomings(expect: Expectation, { job, stack, workflowId }: Told): Promise<string[]> {
  const handle = await stack.client.job(workflowId).catch(() => undefined);
  const status = await handle?.status().catch(() => undefined);
  if (expect.workflow === 'none') return status === undefined ? [] : [`there is a workflow ${workflowId}`];
  if (expect.workflow === 'ignored') return [];
  if (status === undefined) return [`there is no workflow ${workflowId}`];
  const kept = (await stack.client.store.read(jobKeys.trace(workflowId))) ?? Buffer.alloc(0);
  return [
    ...differs('state in holdfast show', expect.state ?? expect.status, status.state),
    ...differs('metrics in holdfast show', expect.metrics, status.metrics),
    // A job that GitLab itself has ended has no report, and the rest of its trace stays here.
    ...(job.reports.length === 0 || kept.equals(job.trace)
      ? []
      : ['the trace in the store is another than GitLab has']),
    ...(expect.workflow === 'closed'
      ? await documentShortcomings({ job, stack, workflowId }, status.metricsReason)
      : []),
  ];
}

/** What GitLab has of the metrics is the document's beginning, and the document knows how far that goes. */
async function documentShortcomings(
  { job, stack, workflowId }: Omit<Told, 'key'>,
  reason: string | null,
): Promise<string[]> {
  const sent = job.artifacts.find(({ type }) => type === 'metrics_referee');
  const kept = await stack.client.store.read(jobKeys.metrics(workflowId));
  if (sent === undefined || kept === undefined) return [];
  const { window, ...document } = MetricsDocument.parse(JSON.parse(kept.toString('utf8')));
  const whole = document.complete === false ? ['the metrics document was never completed'] : [];
  // Nobody can know of an answer that did not come in time; but that it did not must be told.
  if (document.delivery === 'stored' && reason?.includes('may have it') === true) return whole;
  const series = JSON.parse(unzipped(sent)) as Record<string, [number, string][]>;
  const lastMs = Math.max(0, ...Object.values(series).flatMap((points) => points.map(([seconds]) => seconds * 1000)));
  const untilMs = document.uploadedUntilMs ?? 0;
  return [
    ...differs('delivery in the metrics document', 'uploaded', document.delivery),
    ...whole,
    ...atMost('end of what GitLab has, in ms', untilMs, lastMs),
    ...atMost('uploadedUntilMs', window.endMs, untilMs),
  ];
}

function differs(what: string, wanted: unknown, given: unknown): string[] {
  return wanted === undefined || Object.is(wanted, given)
    ? []
    : [`${what} is ${JSON.stringify(given)}, expected was ${JSON.stringify(wanted)}`];
}

function atLeast(what: string, least: number | undefined, given: number): string[] {
  return least === undefined || given >= least
    ? []
    : [`${what}: ${String(given)}, expected were at least ${String(least)}`];
}

function atMost(what: string, most: number | undefined, given: number): string[] {
  return most === undefined || given <= most
    ? []
    : [`${what}: ${String(given)}, expected were at most ${String(most)}`];
}
