/**
 * The scrape that covers a script's end comes within this after it, or not at all: two of Prometheus' default minutes, one until its
 * service discovery hears of a machine (of a short job's perhaps only after its end), one until it scrapes it. As long an ended machine is
 * discovered and its last values are served (`telemetry/machine-collector.ts`), and its last scrape is waited for (`last-scrape.ts`).
 */
export const LATEST_SCRAPE_MS = 120_000;
