import type { ArtifactStatus, JobStatus } from '../../contracts/ci-job.js';
import { formatBytes } from '../../metrics/units.js';
import { html, type Html } from '../html.js';
import { jobPath } from '../words.js';

export function artifactList(status: JobStatus): Html {
  if (status.artifacts.length === 0)
    return html`<p class="muted">This job has none${status.finishedAt === null && ' yet'}.</p>`;
  return html`<ul class="artifacts">
    ${status.artifacts.map((artifact) => entry(status, artifact))}
  </ul>`;
}

function entry({ workflowId }: JobStatus, { name, type, bytes, files, key }: ArtifactStatus): Html {
  const file = key.slice(key.lastIndexOf('/') + 1);
  const address = `${jobPath('/data/artifact', workflowId)}?file=${encodeURIComponent(file)}`;
  const words = [type === 'archive' ? '' : type, files === 1 ? '1 file' : `${String(files)} files`, formatBytes(bytes)];
  return html`<li>
    <a href="${address}" download>${name}</a>
    <span class="muted">${words.filter((word) => word !== '').join(' · ')}</span>
  </li>`;
}
