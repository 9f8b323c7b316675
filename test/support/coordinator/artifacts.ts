import { json, type Answer, type Call } from './http.js';
import { isKnownPair, sha256Of, type CoordinatorJob } from './job.js';

/** Archives of finished jobs, and those that running ones send. */
export interface Artifacts {
  add(id: number, token: string, archive: Buffer, how: { redirect?: boolean | number; status?: number }): void;
  /** What object storage has at that place. */
  archive(id: number): Buffer | undefined;
  download(call: Call, id: number): Answer;
  upload(job: CoordinatorJob, call: Call): Promise<Answer>;
}

/** @param storageUrl where object storage is, at a time when it listens */
export function createArtifacts(deps: {
  limitBytes: number;
  storageUrl: () => string;
  violation: (text: string) => void;
}): Artifacts {
  const { violation } = deps;
  const archives = new Map<number, { token: string; archive: Buffer; redirect: number | undefined; status: number }>();

  /** Elsewhere, once. */
  function redirected(job: CoordinatorJob, { path, query }: Call): Answer | undefined {
    const { redirectUploads: how } = job.options;
    if (how === undefined || query.has('redirected')) return undefined;
    query.set('redirected', '1');
    const base = how.to === 'here' ? `/api/v4/${path}` : `${deps.storageUrl()}/upload/${String(job.id)}`;
    return { status: how.status, headers: { Location: `${base}?${query.toString()}` } };
  }

  return {
    add(id, token, archive, how) {
      const redirect = how.redirect === true ? 302 : how.redirect === false ? undefined : how.redirect;
      archives.set(id, { token, archive, redirect, status: how.status ?? 200 });
    },
    archive: (id) => archives.get(id)?.archive,

    download({ headers, query }, id) {
      const known = archives.get(id);
      if (known === undefined || known.token !== headers['job-token']) return json(403, { message: '403 Forbidden' });
      if (known.status !== 200) return json(known.status, { message: String(known.status) });
      if (known.redirect !== undefined && query.get('direct_download') === 'true') {
        const location = `${deps.storageUrl()}/archive/${String(id)}?signature=x`;
        return { status: known.redirect, headers: { Location: location } };
      }
      return { status: 200, headers: { 'Content-Type': 'application/zip' }, body: known.archive };
    },

    async upload(job, call) {
      const elsewhere = redirected(job, call);
      if (elsewhere !== undefined) return elsewhere;
      const { query, headers, body } = call;
      const type = query.get('artifact_type') ?? 'archive';
      const format = query.get('artifact_format') ?? 'zip';
      const form = await new Response(new Uint8Array(body), {
        headers: { 'content-type': String(headers['content-type']) },
      }).formData();
      const file = form.get('file');
      if (!(file instanceof File)) {
        violation('upload: no part "file"');
        return json(400, { message: 'file is missing' });
      }
      const bytes = Buffer.from(await file.arrayBuffer());
      if (!isKnownPair(type, format)) {
        violation(`upload: type ${type} with format ${format}`);
        return json(400, { message: 'Invalid file format' });
      }
      if (bytes.length > (job.options.artifactLimitBytes ?? deps.limitBytes))
        return json(413, { message: '413 Payload Too Large' });
      const sha256 = sha256Of(bytes);
      const known = job.artifacts.find((artifact) => artifact.type === type);
      if (known !== undefined) {
        if (known.sha256 === sha256) return { status: 201, body: '201' };
        violation(`upload: ${type} again with other bytes`);
        return json(400, { message: 'another artifact of the same type already exists' });
      }
      if (job.reports.length > 0) violation(`upload: ${type} after the final report`);
      job.artifacts.push({
        type,
        format,
        filename: file.name,
        expireIn: query.get('expire_in') ?? undefined,
        bytes,
        sha256,
        during: job.status,
      });
      return { status: 201, body: '201', headers: { 'Content-Type': 'text/plain' } };
    },
  };
}
