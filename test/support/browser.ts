import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { expect } from 'vitest';

export type { Page };

const SYSTEM_BROWSERS = ['chromium', 'google-chrome-stable', 'google-chrome'];
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface OpenPage {
  page: Page;
  /** Addresses outside of the page's own server that anything has asked for. */
  outside: string[];
  /** Errors of scripts, and what the content security policy has stopped. */
  errors: string[];
}

/** The system's Chromium with a new user data directory. */
export interface TestBrowser {
  open(url: string, options?: { width?: number; theme?: 'light' | 'dark' }): Promise<OpenPage>;
  close(): Promise<void>;
}

/** Absent: Playwright's own, which scripts/setup.sh gets on a system without one. */
function systemBrowser(): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return SYSTEM_BROWSERS.flatMap((name) => directories.map((directory) => join(directory, name))).find((file) =>
    existsSync(file),
  );
}

export async function startBrowser(): Promise<TestBrowser> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-chromium-'));
  const program = systemBrowser();
  const context: BrowserContext = await chromium.launchPersistentContext(directory, {
    ...(program === undefined ? {} : { executablePath: program }),
    headless: true,
    args: ARGUMENTS,
    viewport: { width: 1280, height: 860 },
  });
  return {
    async open(url, { width = 1280, theme = 'light' } = {}) {
      const page = await context.newPage();
      await page.setViewportSize({ width, height: 860 });
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      const outside: string[] = [];
      const errors: string[] = [];
      const origin = new URL(url).origin;
      page.on('request', (request) => {
        if (!request.url().startsWith(origin === 'null' ? url : origin)) outside.push(request.url());
      });
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
      });
      await page.goto(url);
      return { page, outside, errors };
    },
    async close() {
      await context.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** What axe-core finds wrong with a page, each as one line. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // By the debugger, past the page's policy, which lets no script of ours in.
  await page.evaluate(source);
  const violations = await page.evaluate<{ id: string; nodes: { html: string; failureSummary: string }[] }[]>(
    'axe.run(document).then(({ violations }) => violations)',
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary.replaceAll('\n', ' ')}`),
  );
}

/** Presses Tab until this has the focus, which is to be seen there. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  const isThere = () =>
    page.evaluate<boolean>(`document.activeElement === document.querySelector(${JSON.stringify(selector)})`);
  for (let pressed = 0; pressed < 80 && !(await isThere()); pressed += 1) await page.keyboard.press('Tab');
  expect(await isThere(), `${selector} is reached by Tab`).toBe(true);
  expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).not.toBe('none');
}

const SCREENSHOTS = 'test-output/web';

/** Kept for people to look at. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}
