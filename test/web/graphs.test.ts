import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAssets } from '../../src/web/assets.js';
import { metricsReport } from '../../src/web/report.js';
import {
  accessibilityProblems,
  screenshot,
  startBrowser,
  tabTo,
  type OpenPage,
  type TestBrowser,
} from '../support/browser.js';
import { metricsDocument } from '../support/metrics-fixtures.js';
import { until } from '../support/processes.js';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-graphs-'));
let browser: TestBrowser;

beforeAll(async () => {
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Of an exporter that names things at length, and of a user who would rather write HTML. */
const LONG = `build<img src=x onerror="window.hacked=1">${'x'.repeat(150)}`;

/** Two containers' CPU, the memory of both together. */
const DOCUMENT = metricsDocument({
  queries: { cpu: 'c', memory: 'm' },
  series: [
    ...[LONG, 'database'].map((container, at) => ({
      query: 'cpu',
      labels: { container },
      values: Array.from({ length: 12 }, (_, step): [number, string] => [step * 5, String(at + step / 10)]),
    })),
    { query: 'memory', labels: {}, values: [[5, '1048576'], [55, '2097152']] }, // prettier-ignore
  ],
});

async function open(options?: Parameters<TestBrowser['open']>[1]): Promise<OpenPage> {
  const file = join(directory, 'report.html');
  writeFileSync(file, metricsReport(DOCUMENT, undefined, loadAssets()));
  const opened = await browser.open(pathToFileURL(file).href, options);
  await opened.page.waitForSelector('figure[data-query=memory] canvas');
  return opened;
}

describe('a graph of several series', () => {
  it('has its lines taken away and brought back by keys alone, and says so', async () => {
    const { page } = await open();
    const toggle = 'figure[data-query=cpu] button';
    await tabTo(page, toggle);
    expect(await page.getAttribute(toggle, 'aria-pressed')).toBe('true');

    await page.keyboard.press('Enter');
    await until('a series that is off', async () => (await page.getAttribute(toggle, 'aria-pressed')) === 'false');
    expect(await page.locator('figure[data-query=cpu] .u-series.u-off').innerText()).toContain('container=build');
    await screenshot(page, 'graph-series-off');

    await page.keyboard.press('Space');
    await until('a series that is on', async () => (await page.getAttribute(toggle, 'aria-pressed')) === 'true');
    expect(await page.locator('.u-series.u-off').count()).toBe(0);
    await page.close();
  });

  it('tells the values of all of them at the cursor', async () => {
    const { page } = await open();
    await tabTo(page, 'figure[data-query=cpu] .plot');
    await page.keyboard.press('End');

    const told = await page.getAttribute('figure[data-query=cpu] .plot', 'aria-valuetext');
    expect(told).toMatch(/container=build<img.*1\.10 cores.*container=database.*2\.10 cores/);
    await page.close();
  });

  it.each(['light', 'dark'] as const)('has no fault that axe-core knows, a line on and off (%s)', async (theme) => {
    const { page, errors } = await open({ theme, width: 400 });
    expect(await accessibilityProblems(page)).toEqual([]);

    await page.click('figure[data-query=cpu] button');
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(errors).toEqual([]);
    await page.close();
  });
});

it('a graph of one series has nothing to take away', async () => {
  const { page } = await open();
  await page.click('figure[data-query=memory] .u-series:last-child th');

  expect(await page.locator('figure[data-query=memory] :is(button, .u-series.u-off)').count()).toBe(0);
  await page.close();
});
