// live-system.ts -- The whole system in one process, behind a real server, and a real browser in front of it.

import { type Browser, chromium, type Page } from 'playwright-core';
import { createApp } from '../../src/app.ts';
import { loadPages } from '../../src/page-files.ts';
import { findBrowser } from '../../src/local/browser-program.ts';
import { serve } from '../../src/serve.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { digestOf } from '../../src/http/auth.ts';
import { fakeAuthority, ready } from '../http/fakes.ts';
import { openStores, type Stores } from '../stores.ts';
import type { TestWorker } from '../test-worker.ts';

export const OPERATOR_KEY = 'a-key-for-the-browser-tests';

export interface LiveSystem extends AsyncDisposable {
  readonly url: string;
  readonly stores: Stores;
  readonly worker: TestWorker;
  readonly browser: Browser;
  /** A page of its own session; what goes wrong in it is kept in `faults`. */
  open(options?: PageOptions): Promise<{ readonly page: Page; readonly faults: string[] }>;
  /** Asks for a coupon as so many users. Returns how many got it. */
  rush(couponId: number, users: number): Promise<number>;
}

export interface PageOptions {
  readonly language?: 'en-GB' | 'ko-KR';
  readonly dark?: boolean;
  readonly phone?: boolean;
}

/** Starts everything. Throws, and leaves nothing running, when a part does not start. */
export async function startLiveSystem(): Promise<LiveSystem> {
  const stores = await openStores();
  const undo: (() => Promise<unknown>)[] = [stores.close];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const { api, worker, pages } = await startParts(stores);
    const log = createLog('api', 'silent');
    const app = createApp({
      ...api,
      pages,
      authority: fakeAuthority({}, [{ digest: digestOf(OPERATOR_KEY), scopes: ['admin'] }]),
      limiters: { user: null, address: null },
      config: stores.config,
      readiness: async () => ready,
      metrics: api.metrics,
      log,
    });
    const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: (error) => log.error({ error }, '') });
    // Pages that follow a coupon would keep the server from stopping.
    undo.push(async () => {
      await api.letGo();
      await server.stop();
    });
    const browser = await chromium.launch({ executablePath: findBrowser() ?? 'chromium', args: [...flags] });
    undo.push(() => browser.close());
    return {
      url: server.url,
      stores,
      worker,
      browser,
      open: (options = {}) => openPage(browser, server.url, options),
      rush: (couponId, users) => rush(server.url, couponId, users),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts(stores: Stores) {
  const [api, worker, pages] = await Promise.all([stores.createApi(), stores.startWorker(), loadPages()]);
  return { api, worker, pages };
}

/** No network but the loopback, no first-run pages; a container has no sandbox of the kernel's. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
] as const;

async function openPage(browser: Browser, url: string, { language = 'en-GB', dark, phone }: PageOptions) {
  const context = await browser.newContext({
    baseURL: url,
    locale: language,
    timezoneId: 'Asia/Seoul',
    colorScheme: dark ? 'dark' : 'light',
    viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 900 },
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  // Also what the policy of the page forbids. Refusals are told there too, and are none of its faults.
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) faults.push(`asked another server: ${request.url()}`);
  });
  return { page, faults };
}

async function rush(url: string, couponId: number, users: number): Promise<number> {
  const answers = await Promise.all(
    Array.from({ length: users }, async (_, i) => {
      const answer = await fetch(`${url}/v2/issue-async`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ couponId, userId: `rush-${i}` }),
      });
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
  return answers.filter((status) => status === 202).length;
}
