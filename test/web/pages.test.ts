import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { peakOf } from '../../src/web/job-figures.js';
import { MetricsDocument } from '../../src/metrics/document.js';
import { formatBytes } from '../../src/metrics/units.js';
import { jobKeys } from '../../src/store/keys.js';
import { accessibilityProblems, screenshot, tabTo, type Page } from '../support/browser.js';
import { until } from '../support/processes.js';
import { expectClean, startSite, text, untilText, type Site } from './site.js';

/** Holds 64 MiB while it computes: a fixed amount of work, so that it has samples on a machine of any load. */
const BURN = `awk 'BEGIN { s = "x"; while (length(s) < 67108864) s = s s; for (i = 0; i < 20000000; i++) x += i; print length(s) }'`;
const HELD_BYTES = 64 * 1024 * 1024;

let site: Site;

beforeAll(async () => {
  site = await startSite();
  await site.start('build', {
    name: 'build the world',
    before_script: ['echo preparing'],
    script: [BURN, 'echo done'],
    after_script: ['echo "after: $CI_JOB_STATUS"'],
  });
  await site.start('fails', { name: 'fails <b>&amp;', script: [`printf '\\033[31mred\\033[0m\\n'`, 'exit 3'] });
  await site.start('files', {
    name: 'files',
    script: ['seq 1 1000 >numbers.txt'],
    artifacts: { paths: ['numbers.txt'], name: 'numbers' },
  });
}, 90_000);

afterAll(() => site.close());

describe('the list', () => {
  beforeAll(() => Promise.all(['build', 'fails', 'files'].map((id) => site.settled(id))), 90_000);

  it('has every job with its state, its duration and its peaks', async () => {
    const opened = await site.open('/');
    const { page } = opened;
    await until('all jobs', async () => (await page.locator('tbody tr').count()) === 3);
    const row = page.locator('tbody tr', { hasText: 'build the world' });
    const document = await readDocument('build');

    expect(await row.innerText()).toMatch(/success/);
    expect(await row.innerText()).toContain(`${peakOf(document, 'cpu')!.toFixed(2)} cores`);
    expect(await page.locator('tbody tr', { hasText: 'fails <b>&amp;' }).innerText()).toContain('script_failure');
    expectClean(opened);
    await page.close();
  });

  it('is filtered by state and searched by any part of a name', async () => {
    const { page } = await site.open('/');
    await page.selectOption('select[name=state]', 'failed');
    await Promise.all([page.waitForURL(/state=failed/), page.click('form.filters button')]);
    expect(await page.locator('tbody tr').allInnerTexts()).toEqual([expect.stringContaining('fails <b>')]);
    expect(new URL(page.url()).searchParams.get('state')).toBe('failed');

    await Promise.all([page.waitForURL(`${site.stack.webUrl}/`), page.click('text=Show all')]);
    await page.fill('input[name=q]', 'THE WORLD');
    await page.keyboard.press('Enter');
    await until('one job', async () => (await page.locator('tbody tr').count()) === 1);
    expect(await text(page, 'tbody')).toContain('build the world');

    await page.fill('input[name=q]', 'no such thing');
    await page.keyboard.press('Enter');
    await untilText(page, '#jobs', 'No job is like this.');
    await page.close();
  });
});

describe('an address that was made up', () => {
  it('is refused at once, and Temporal is not blamed', async () => {
    const { status, text } = await fetch(`${site.stack.webUrl}/?page=cnViYmlzaA`).then(async (response) => ({
      status: response.status,
      text: await response.text(),
    }));

    expect(status).toBe(400);
    expect(text).toContain('is no page of the list of jobs');
    expect(text).not.toContain('Temporal');
  });
});

describe('a job’s page', () => {
  it('draws the graphs with the peaks of the document, stage by stage, and one cursor for all', async () => {
    const opened = await site.open('/jobs/job/build');
    const { page } = opened;
    await page.waitForSelector('figure[data-query=cpu] canvas');
    const document = await readDocument('build');
    const cpu = peakOf(document, 'cpu')!;

    const memory = peakOf(document, 'memory')!;

    expect(cpu).toBeGreaterThan(0);
    expect(memory).toBeGreaterThan(HELD_BYTES);
    expect(await text(page, 'figure[data-query=memory] figcaption')).toContain(`peak ${formatBytes(memory)}`);
    expect(await text(page, 'figure[data-query=cpu] figcaption')).toContain(`peak ${cpu.toFixed(2)} cores`);
    expect(await page.getAttribute('figure[data-query=cpu] .plot', 'aria-label')).toContain(
      `peak ${cpu.toFixed(2)} cores`,
    );
    const over = page.locator('figure[data-query=cpu] .u-over');
    await over.scrollIntoViewIfNeeded();
    const box = (await over.boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.7, box.y + box.height / 2);
    await until('the other graph’s value at the cursor', async () =>
      /\d [KMG]?i?B$/.test((await page.locator('figure[data-query=memory] .u-value').last().innerText()).trim()),
    );
    expect(await coloursOf(page, 'figure[data-query=cpu] canvas')).toBeGreaterThan(3);
    expectClean(opened);
    await page.close();
  });

  it('names the steps with their times, and leads from a step to its lines', async () => {
    const { page } = await site.open('/jobs/job/build');
    await page.click('#part-steps a:has-text("After script")');
    await until('the marked line', async () => (await page.locator('.row.marked').count()) === 1);

    expect(await text(page, '.row.marked')).toContain('Running after_script');
    expect(await text(page, '#part-steps')).toMatch(/Script[\s\S]*\d(\.\d)? (s|ms)/);
    await page.close();
  });

  it('folds sections, by the keyboard too, and a link to a line opens its section', async () => {
    const { page } = await site.open('/jobs/job/build');
    await untilText(page, '#trace-rows', 'preparing');
    const fold = page.locator('.row', { hasText: 'stage of the job script' }).locator('button.fold');
    await fold.focus();
    await page.keyboard.press('Enter');
    await until('a folded section', async () => !(await text(page, '#trace-rows')).includes('preparing'));
    expect(await fold.getAttribute('aria-expanded')).toBe('false');

    const line = (await site.stack.client.store.read(jobKeys.trace('job/build')))!
      .toString('utf8')
      .split('\n')
      .indexOf('preparing');
    await page.evaluate(`location.hash = '#L${String(line + 1)}'`);
    await untilText(page, '.row.marked', 'preparing');
    await page.close();
  });

  it('tells its whole life, as "holdfast show" does', async () => {
    const opened = await site.open('/jobs/job/fails');
    const { page } = opened;
    const { life, fault } = await site.job('fails').flight();
    const rows = page.locator('#part-life tbody tr');

    expect(await rows.count()).toBeGreaterThanOrEqual(life.events.length + life.activities.length);
    const told = await rows.allInnerTexts();
    for (const { activity, summary } of life.activities)
      expect(told).toContainEqual(expect.stringContaining(`${activity} ${summary}`));
    expect(fault).toBe('user');
    expect(await text(page, '#part-facts')).toContain('the job’s own');
    expectClean(opened);
    await page.close();
  });

  it('gives the artifacts as files', async () => {
    const { page } = await site.open('/jobs/job/files');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('.artifacts a')]);

    expect(download.suggestedFilename()).toBe('numbers.zip');
    expect(
      readFileSync(await download.path())
        .subarray(0, 2)
        .toString(),
    ).toBe('PK');
    await page.close();
  });

  it('says in words that there is no such job', async () => {
    const { page } = await site.open('/jobs/job/nobody');

    expect(await text(page, 'h1')).toBe('There is no such job');
    await page.close();
  });
});

describe('the page of "holdfast metrics --html"', () => {
  it('opens from a disk and asks for nothing', async () => {
    const file = resolve(site.stack.directory, 'report.html');
    const bin = resolve('bin/holdfast');
    execFileSync(process.execPath, [bin, 'metrics', 'build', '--html', file, '--config', site.stack.configFile], {
      stdio: 'pipe',
    });
    const opened = await site.browser.open(pathToFileURL(file).href);
    const { page } = opened;
    await page.waitForSelector('figure[data-query=memory] canvas');

    expect(await text(page, 'h1')).toBe('build the world');
    expect(await coloursOf(page, 'figure[data-query=cpu] canvas')).toBeGreaterThan(3);
    expect(await accessibilityProblems(page)).toEqual([]);
    await screenshot(page, 'report-light-1280');
    expectClean(opened);
    await page.close();
  });
});

describe('for everyone', () => {
  const pages = {
    jobs: '/',
    job: '/jobs/job/build',
    failed: '/jobs/job/fails',
    usage: '/usage',
    missing: '/jobs/job/nobody',
  };

  it.each(Object.entries(pages))(
    '%s has no fault that axe-core knows, light and dark, wide and narrow',
    async (name, path) => {
      const found: string[] = [];
      for (const theme of ['light', 'dark'] as const) {
        for (const width of [1280, 400]) {
          const { page } = await site.open(path, { theme, width });
          if (name === 'job') await page.waitForSelector('figure[data-query=cpu] canvas');
          if (name === 'job' || name === 'failed') await untilText(page, '#trace-rows', 'Job ');
          const problems = await accessibilityProblems(page);
          found.push(...problems.map((problem) => `${theme} ${String(width)}: ${problem}`));
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
          await screenshot(page, `${name}-${theme}-${String(width)}`);
          await page.close();
        }
      }
      expect(found).toEqual([]);
    },
  );

  it('the list is filtered, and the theme chosen, by keys alone', async () => {
    await site.settled('fails');
    const { page } = await site.open('/', { theme: 'light' });
    await tabTo(page, '#theme');
    await page.keyboard.press('Enter');
    expect(await page.getAttribute('#theme', 'aria-label')).toContain('Theme: light');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await tabTo(page, 'select[name=state]');
    // By its letter, as by arrows, a select changes without being opened.
    await page.keyboard.type('failed');
    await tabTo(page, '.filters button');
    await Promise.all([page.waitForURL(/state=failed/), page.keyboard.press('Enter')]);
    await tabTo(page, '#jobs a[href="/jobs/job/fails"]');
    await Promise.all([page.waitForURL(/\/jobs\/job\/fails$/), page.keyboard.press('Enter')]);
    await page.close();
  });

  it('a job’s graphs, sections and lines are reached by keys alone', async () => {
    await site.settled('build');
    const { page } = await site.open('/jobs/job/build');
    await page.waitForSelector('figure[data-query=memory] canvas');
    await untilText(page, '#trace-rows', 'preparing');

    await tabTo(page, 'figure[data-query=cpu] .plot');
    await page.keyboard.press('End');
    const values = () => page.locator('figure[data-query=memory] .u-value').last().innerText();
    await until('the other graph’s value at the cursor', async () => /\d [KMG]?i?B$/.test((await values()).trim()));
    expect(await page.getAttribute('figure[data-query=cpu] .plot', 'aria-valuetext')).toMatch(/\d cores/);
    await screenshot(page, 'job-keys-graph');

    const title = page.locator('.row', { hasText: 'stage of the job script' });
    const line = Number(await title.getAttribute('data-line'));
    await tabTo(page, `.row[data-line="${String(line)}"] button.fold`);
    await page.keyboard.press('Enter');
    await until('a folded section', async () => !(await text(page, '#trace-rows')).includes('preparing'));
    await page.keyboard.press('Enter');
    await untilText(page, '#trace-rows', 'preparing');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await untilText(page, '.row.marked .number', String(line + 2));
    expect(new URL(page.url()).hash).toBe(`#L${String(line + 2)}`);
    await page.keyboard.press('ArrowDown');
    expect(await page.evaluate('document.activeElement.textContent')).toBe(String(line + 3));
    await screenshot(page, 'job-keys-line');
    await page.close();
  });

  it('the theme can be chosen, and stays chosen', async () => {
    const { page } = await site.open('/', { theme: 'light' });
    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.click('#theme');
    await page.click('#theme');
    const dark = await ground();
    await page.reload();

    expect(dark).not.toBe(light);
    expect(await ground()).toBe(dark);
    await page.click('#theme');
    await page.close();
  });
});

describe('when a server is away', () => {
  it('a page says so, and works again when it is back', async () => {
    await site.stack.temporal().stop('SIGKILL');
    const { page } = await site.open('/');
    expect(await text(page, 'h1')).toBe('Temporal does not answer');

    await site.stack.startTemporal();
    await until('the list', async () => {
      await page.reload();
      return (await text(page, 'h1')) === 'Jobs';
    });
    await page.close();
  });
});

async function readDocument(id: string): Promise<MetricsDocument> {
  const kept = await site.stack.client.store.read(jobKeys.metrics(`job/${id}`));
  return MetricsDocument.parse(JSON.parse(kept!.toString('utf8')));
}

/** How many different colours are drawn: ground, grid, stages, lines. */
async function coloursOf(page: Page, selector: string): Promise<number> {
  return await page
    .locator(selector)
    .first()
    .evaluate((element) => {
      const canvas = element as unknown as {
        width: number;
        height: number;
        getContext(kind: string): {
          getImageData(x: number, y: number, w: number, h: number): { data: Uint8ClampedArray };
        };
      };
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const colours = new Set<number>();
      for (let at = 0; at < data.length; at += 4) colours.add(data[at]! * 65536 + data[at + 1]! * 256 + data[at + 2]!);
      return colours.size;
    });
}
