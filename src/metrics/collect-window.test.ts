import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { END_MS, HALF_MS, run, scripted, START_MS } from '../../test/support/prometheus/scripted.js';

describe('the end of the window', () => {
  it('is the first scrape after the end of the script, and is waited for', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 2000 } });

    const document = await run(world);

    expect(document.window).toEqual({ startMs: START_MS, endMs: END_MS + 800 + HALF_MS });
    expect(document.scrapeIntervalMs).toBe(2000);
    expect(document.series[0]?.values.at(-1)?.[0]).toBe((END_MS + 800 + HALF_MS) / 1000);
    expect(world.elapsedMs()).toBeLessThan(1500);
    expect(world.looks.length).toBeLessThan(6);
  });

  it('is the second scrape of a job that was over before the first: one sample makes no rate', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: END_MS + 1000, everyMs: 5000 } });

    expect((await run(world)).window.endMs).toBe(END_MS + 6000 + 2500);
  });

  it('is the end of the script when no scrape comes in time', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS, everyMs: 5000, lastMs: END_MS - 5000 } });

    const document = await run(world);

    expect(document.window.endMs).toBe(END_MS + 2500);
    expect(document.outcome).toBe('samples');
    expect(world.elapsedMs()).toBe(15_000);
  });

  it('is looked up at its own time when the job ended long ago, without a wait', async () => {
    const world = scripted({ nowMs: END_MS + 86_400_000, scrapes: { firstMs: START_MS + 800, everyMs: 2000 } });

    const document = await run(world);

    expect(document.window.endMs).toBe(END_MS + 800 + HALF_MS);
    expect(world.looks.filter(({ query }) => !query.includes('__name__'))).toHaveLength(1);
    expect(world.looks[0]?.atMs).toBe(END_MS + 120_000);
    expect(world.elapsedMs()).toBe(0);
  });

  it('is waited for when it comes a minute later: Prometheus scrapes so by default', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: END_MS - 100_000, everyMs: 60_000 } });

    const document = await run(world, { window: { startMs: END_MS - 120_000, endMs: END_MS } });

    expect(document.window.endMs).toBe(END_MS + 20_000 + 30_000);
    expect(document.complete).toBeUndefined();
    expect(world.elapsedMs()).toBeLessThan(21_000);
    expect(world.looks.length).toBeLessThan(10);
  });

  it('is waited for when the machine was seen once: nobody knows when the next scrape comes', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: END_MS - 10_000, everyMs: 60_000 } });

    expect((await run(world)).window.endMs).toBe(END_MS + 50_000 + 30_000);
  });

  it('is not waited for so long at a replay, and found at its time later', async () => {
    const scrapes = { firstMs: END_MS - 100_000, everyMs: 60_000 };
    const window = { startMs: END_MS - 120_000, endMs: END_MS };
    const soon = scripted({ nowMs: END_MS, scrapes });
    const later = scripted({ nowMs: END_MS + 86_400_000, scrapes });

    const early = await run(soon, { window, hurried: true });
    const whole = await run(later, { window, hurried: true });

    expect(soon.elapsedMs()).toBe(15_000);
    expect(early).toMatchObject({ complete: false, missing: ['last_scrape'], window: { endMs: END_MS + 30_000 } });
    expect(later.elapsedMs()).toBe(0);
    expect(whole.window.endMs).toBe(END_MS + 20_000 + 30_000);
    expect(whole.complete).toBeUndefined();
  });

  it('that did not come may still, but not long after the job', async () => {
    const scrapes = { firstMs: START_MS, everyMs: 5000, lastMs: END_MS - 5000 };

    expect((await run(scripted({ nowMs: END_MS, scrapes }))).complete).toBe(false);
    expect((await run(scripted({ nowMs: END_MS + 86_400_000, scrapes }))).complete).toBeUndefined();
  });

  it.each([
    [
      'rate(my_cpu_seconds_total{mode!="idle",{selector}}[{interval}])',
      'my_cpu_seconds_total{mode!="idle",machine="hf-1"}',
    ],
    ['sum:rate5m{{selector}}', 'sum:rate5m{machine="hf-1"}'],
    ['rate({__name__="my_cpu",{selector}}[{interval}])', '{machine="hf-1"}'],
  ])('of %s is looked for in it', async (cpu, probe) => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 5000 } });

    const document = await run(world, { queries: { cpu } });

    expect(world.looks[0]?.query).toBe(`${probe}[240s]`);
    expect(document).toMatchObject({ scrapeIntervalMs: 5000, window: { endMs: END_MS + 800 + 2500 } });
  });

  it.each([
    ['rate(container_cpu_usage_seconds_total{{selector}}[{interval}])', 'container_memory_working_set_bytes'],
    ['rate(node_cpu_seconds_total{{selector}}[{interval}])', 'node_memory_MemTotal_bytes'],
  ])('of %s is looked for in %s', async (query, probe) => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 2000 } });

    await run(world, { queries: { cpu: query } });

    expect(world.looks[0]?.query).toBe(`${probe}{machine="hf-1"}[240s]`);
  });

  it('never waits beyond its bound, whatever the rhythm of the scrapes', async () => {
    const rhythm = fc.record({
      firstMs: fc.integer({ min: 0, max: 120_000 }),
      everyMs: fc.integer({ min: 200, max: 90_000 }),
    });
    await fc.assert(
      fc.asyncProperty(rhythm, fc.integer({ min: 0, max: 15_000 }), async ({ firstMs, everyMs }, scrapeWaitMs) => {
        const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + firstMs, everyMs } });

        const document = await run(world, { scrapeWaitMs });

        const isRhythmKnown = firstMs + everyMs <= END_MS - START_MS;
        const boundMs = Math.max(scrapeWaitMs, isRhythmKnown ? everyMs + 1050 : 120_000);
        expect(world.elapsedMs()).toBeLessThanOrEqual(boundMs);
        expect(document.window.endMs).toBeGreaterThanOrEqual(END_MS);
        expect(document.window.endMs).toBeLessThanOrEqual(END_MS + boundMs + everyMs / 2 + 50);
      }),
    );
  });
});

describe('an early collection', () => {
  it('waits for nothing and ends with the last scrape that there is', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 5000 } });

    const document = await run(world, { early: true });

    expect(world.elapsedMs()).toBe(0);
    expect(document).toMatchObject({ outcome: 'samples', scrapeIntervalMs: 5000 });
    expect(document.window.endMs).toBe(START_MS + 55_800 + 2500);
  });

  it('takes no scrape for the last but those before the end of the script, however late it is', async () => {
    const world = scripted({ nowMs: END_MS + 30_000, scrapes: { firstMs: START_MS + 800, everyMs: 5000 } });

    expect((await run(world, { early: true })).window.endMs).toBe(START_MS + 55_800 + 2500);
  });

  it('ends with the script at the latest, however slow the scrapes are: its copy must not end after the whole document', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS + 800, everyMs: 50_000 } });

    expect((await run(world, { early: true })).window.endMs).toBe(END_MS);
  });

  it('asks for the graphs alone: sums and rules are left to the last one', async () => {
    const world = scripted({ nowMs: END_MS, scrapes: { firstMs: START_MS, everyMs: 5000 } });
    const rules = [{ name: 'busy', query: 'vector(1)', threshold: 0, longerThanMs: 0 }];

    const document = await run(world, { early: true, rules });

    expect(world.looks).toHaveLength(1);
    expect(document.totals).toBeUndefined();
    expect(document.flags).toEqual([]);
  });

  it('of which Prometheus has seen nothing yet has no samples', async () => {
    expect((await run(scripted({ nowMs: END_MS }), { early: true })).outcome).toBe('no_samples');
  });
});
