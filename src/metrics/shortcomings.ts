import { WHOLE, type MetricsDocument } from './document.js';

/** What a job's graphs lack, each as a sentence: whoever looks at them must not take a gap for an idle machine. */
export function shortcomingsOf(document: MetricsDocument): string[] {
  return [...coverage(document), ...(document.complete === false ? missing(document) : laterThanSent(document))];
}

function coverage({ coverage: part }: MetricsDocument): string[] {
  if (part === undefined || part >= WHOLE) return [];
  return [`Prometheus has samples for ${String(Math.round(part * 100))} % of the time.`];
}

function missing({ missing: known }: MetricsDocument): string[] {
  if (known === undefined) return ['Something that a replay may bring is not there yet.'];
  return known.map((what) =>
    what === 'last_scrape'
      ? 'Up to the last scrape before the end of the script; what came after it is not there yet.'
      : 'Prometheus has not answered every question; a replay may bring the rest.',
  );
}

/** What the coordinator's copy lacks. */
function laterThanSent({ window, uploadedUntilMs }: MetricsDocument): string[] {
  if (uploadedUntilMs === undefined || uploadedUntilMs >= window.endMs) return [];
  const seconds = ((window.endMs - uploadedUntilMs) / 1000).toFixed(1);
  return [`GitLab's artifact ends ${seconds} s earlier: it was sent with the job.`];
}
