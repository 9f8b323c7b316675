import type { JobHandle } from '../../src/client.js';
import { isFinalJobState } from '../../src/contracts/names.js';
import { expect } from 'vitest';
import { startBrowser, type OpenPage, type Page, type TestBrowser } from '../support/browser.js';
import { until } from '../support/processes.js';
import { TEST_IMAGE } from '../support/docker.js';
import { startStack, type Stack } from '../support/stack.js';

/** A stack, its pages in a browser, and jobs to look at. */
export interface Site {
  stack: Stack;
  browser: TestBrowser;
  start(id: string, job: object): Promise<void>;
  job(id: string): JobHandle;
  /** The job is over and its metrics are collected. */
  settled(id: string): Promise<void>;
  open(path: string, options?: Parameters<TestBrowser['open']>[1]): Promise<OpenPage>;
  close(): Promise<void>;
}

export async function startSite(): Promise<Site> {
  const [stack, browser] = await Promise.all([startStack(), startBrowser()]);
  const jobs = new Map<string, JobHandle>();
  const job = (id: string) => {
    const found = jobs.get(id);
    if (found === undefined) throw new Error(`No job ${id} was started`);
    return found;
  };
  return {
    stack,
    browser,
    job,
    async start(id, spec) {
      jobs.set(id, await stack.client.startJob({ image: TEST_IMAGE, ...spec }, { id }));
    },
    async settled(id) {
      await until(
        `the end of ${id}`,
        async () => {
          const status = await job(id).status();
          return isFinalJobState(status.state) && status.metrics !== 'pending';
        },
        60_000,
      );
    },
    open: (path, options) => browser.open(stack.webUrl + path, options),
    async close() {
      await browser.close();
      await stack.close();
    },
  };
}

export const text = (page: Page, selector: string) => page.locator(selector).innerText();

export async function untilText(page: Page, selector: string, wanted: string): Promise<void> {
  let last = '';
  await until(
    `"${wanted}" in ${selector}`,
    async () => (last = await text(page, selector)).includes(wanted),
    40_000,
  ).catch((cause: unknown) => {
    throw new Error(`"${wanted}" did not come in ${selector}, which says: ${last}`, { cause });
  });
}

export function expectClean({ outside, errors }: OpenPage): void {
  expect(outside).toEqual([]);
  expect(errors).toEqual([]);
}
