import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/processes.js';
import { expectClean, startSite, text, untilText, type Site } from './site.js';

const HOSTILE = [
  `echo '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">'`,
  // An ANSI bomb: a colour on every character of a long line, and cursors sent far away.
  `awk 'BEGIN { for (i = 0; i < 60000; i++) printf "\\033[%dm*\\033[999999999;999999999H\\033[2J", 31 + i % 7; print "" }'`,
  `printf '\\033]0;title\\007\\033]8;;javascript:alert(1)\\033\\\\link\\033]8;;\\033\\\\\\n'`,
  // 10 MB in one line, and bytes that are no UTF-8.
  `awk 'BEGIN { s = "x"; while (length(s) < 10000000) s = s s; print s }'`,
  `printf '\\377\\376\\200 invalid \\303\\n'`,
  `echo the last line`,
];

let site: Site;

beforeAll(async () => {
  site = await startSite();
  await site.start('lines', {
    name: 'many lines',
    script: [`seq 1 100000 | awk '{ printf "\\033[3%dm%d\\033[0m some text\\n", $1 % 8, $1 }'`],
  });
  await site.start('live', {
    name: 'live',
    script: ['echo begun; while [ ! -e /shared/go ]; do sleep 0.1; done; echo went on; sleep 1; echo ended'],
  });
}, 90_000);

afterAll(() => site.close());

describe('a running job', () => {
  it('shows its trace as it grows, follows it, and comes to its end without a reload', async () => {
    const opened = await site.open('/jobs/live');
    const { page } = opened;
    expect(new URL(page.url()).pathname).toBe('/jobs/job/live');
    await untilText(page, '#trace-rows', 'begun');
    await untilText(page, '#part-head', 'running');
    expect(await page.getAttribute('#trace-follow', 'aria-pressed')).toBe('true');

    writeFileSync(join(site.stack.shared, 'go'), '');

    await untilText(page, '#trace-rows', 'went on');
    await untilText(page, '#trace-rows', 'Job succeeded');
    await untilText(page, '#part-head', 'success');
    await untilText(page, '#part-steps', 'Script');
    expectClean(opened);
    await page.close();
  });
});

describe('hostile output', () => {
  it('harms nobody: it is text, cut to what can be read, and the page goes on to work', async () => {
    await site.start('hostile', { name: 'hostile', script: HOSTILE });
    await site.settled('hostile');
    const opened = await site.open('/jobs/job/hostile');
    const { page } = opened;
    await untilText(page, '#trace-rows', '<script>window.hacked = 1</script>');

    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await page.locator('#trace-rows :is(script, img)').count()).toBe(0);
    expect(await page.locator('#trace-rows a[href^="javascript"]').count()).toBe(0);
    await page.evaluate('document.querySelector("#trace-scroll").scrollTop = 1e9');
    await untilText(page, '#trace-rows', 'more characters');
    expect(await page.locator('#trace-rows .row').count()).toBeLessThan(200);
    expect(await page.locator('#trace-rows *').count()).toBeLessThan(20_000);
    expectClean(opened);
    await page.close();
  });
});

describe('a trace of 100,000 lines', () => {
  it('scrolls, of its lines only those in sight are in the page, and only those near are loaded', async () => {
    await site.settled('lines');
    const opened = await site.open('/jobs/job/lines');
    const { page } = opened;
    let bytes = 0;
    page.on('response', (response) => {
      if (response.url().includes('/data/lines/'))
        void response.body().then(
          (body) => (bytes += body.length),
          () => undefined,
        );
    });
    await untilText(page, '#trace-rows', 'some text');
    const figures = await page.evaluate<{ frames: number[]; rows: number }>(SCROLL_THROUGH);
    await page.evaluate('document.querySelector("#trace-scroll").scrollTop = 1e9');
    await untilText(page, '#trace-rows', '100000 some text');

    const sorted = figures.frames.sort((a, b) => a - b);
    const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))]!.toFixed(1);
    report(
      'frames.txt',
      `100,000 lines, ${String(sorted.length)} frames of scrolling: median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms; ${String(bytes)} bytes of lines loaded\n`,
    );
    expect(figures.rows).toBeLessThan(200);
    expect(bytes).toBeLessThan(2_000_000);
    expectClean(opened);
    await page.close();
  });

  it('is searched, and linked to', async () => {
    const { page } = await site.open('/jobs/job/lines#L54321');
    await until('the marked line', async () => (await page.locator('.row.marked').count()) === 1);
    expect(await text(page, '.row.marked .number')).toBe('54321');

    await page.fill('#trace-text', '77777 SOME');
    await page.keyboard.press('Enter');
    await untilText(page, '#trace-hits', '1 of 1');
    await untilText(page, '.row.marked', '77777 some text');
    await page.close();
  });
});

function report(name: string, words: string): void {
  mkdirSync('test-output/web', { recursive: true });
  writeFileSync(join('test-output/web', name), words);
  process.stderr.write(words);
}

/** In the page: scrolls through the trace, some lines a frame as a wheel does, and measures each frame. */
const SCROLL_THROUGH = `new Promise((done) => {
  const scroll = document.querySelector('#trace-scroll');
  const frames = [];
  let last = performance.now();
  let count = 0;
  const step = (now) => {
    frames.push(now - last);
    last = now;
    scroll.scrollTop += count < 60 ? 120 : 4000;
    count += 1;
    if (count < 120) requestAnimationFrame(step);
    else done({ frames: frames.slice(1), rows: document.querySelectorAll('#trace-rows .row').length });
  };
  requestAnimationFrame(step);
})`;
