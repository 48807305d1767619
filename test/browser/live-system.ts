// live-system.ts -- The whole system in one process, behind real servers, and a real browser in front of it.
//
// Two installations share the stores: an open one, and one that asks everybody who they are.

import { type Browser, chromium, type Page } from 'playwright-core';
import { createAuthMetrics } from '../../src/auth/metrics.ts';
import { openAccess } from '../../src/wiring/access.ts';
import { createApp } from '../../src/app.ts';
import type { PageFile } from '../../src/http/assets.ts';
import { loadPages } from '../../src/runtime/page-files.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { serve } from '../../src/runtime/serve.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { ready } from '../http/fakes.ts';
import { tokenSettings } from '../http/tokens.ts';
import { openStores, type Settings, type Stores, type TestApi } from '../stores.ts';
import type { TestWorker } from '../test-worker.ts';

export const OPERATOR_KEY = 'a-key-for-the-browser-tests';

export interface LiveSystem extends AsyncDisposable {
  readonly url: string;
  /** The installation that takes nobody's word: with tokens of users, and keys as they are in MySQL. */
  readonly guardedUrl: string;
  readonly stores: Stores;
  readonly worker: TestWorker;
  readonly browser: Browser;
  /** A page of its own session; what goes wrong in it is kept in `faults`. */
  open(options?: PageOptions): Promise<{ readonly page: Page; readonly faults: string[] }>;
  /** Asks for a coupon as so many users. Returns how many got it. */
  rush(couponId: number, users: number, prefix?: string): Promise<number>;
  /** A crowd of ever new users that asks for coupons until it is disposed of: 80 times in a tenth of a second for each. */
  crowd(couponIds: readonly number[]): AsyncDisposable;
}

export interface ConsoleOptions extends PageOptions {
  /** By default its first page. */
  readonly path?: string;
  readonly scope?: 'admin' | 'read';
}

export interface PageOptions {
  readonly language?: 'en-GB' | 'ko-KR';
  readonly dark?: boolean;
  readonly phone?: boolean;
  /** In pixels, in place of the usual. */
  readonly width?: number;
  /** By default Seoul's. */
  readonly zone?: string;
  /** The address of the installation; by default the open one. */
  readonly at?: string;
}

/** A page of the console, where an operator has signed in. */
export async function openConsole(
  system: Pick<LiveSystem, 'open'>,
  { path = '/console', scope = 'admin', ...options }: ConsoleOptions = {},
): ReturnType<LiveSystem['open']> {
  const opened = await system.open(options);
  const session = JSON.stringify({ key: OPERATOR_KEY, scopes: [scope] });
  await opened.page.addInitScript(`sessionStorage.setItem('console-session', '${session}')`);
  await opened.page.goto(path);
  await opened.page.getByRole('main').waitFor();
  return opened;
}

/** Starts everything. Throws, and leaves nothing running, when a part does not start. */
export async function startLiveSystem(ofAll: Settings = {}): Promise<LiveSystem> {
  const stores = await openStores({ settings: ofAll });
  const undo: (() => Promise<unknown>)[] = [stores.close];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const [api, worker, pages] = await Promise.all([stores.createApi(), stores.startWorker(), loadPages()]);
    const install = (settings: Settings) => installation({ stores, api, pages, undo }, settings);
    const [url, guardedUrl] = await Promise.all([install({ AUTH: 'off' }), install({ AUTH: 'on', ...tokens })]);
    // Pages that follow a coupon would keep the servers from stopping.
    undo.push(() => api.releaseWaiters());
    const browser = await chromium.launch({ executablePath: findBrowser() ?? 'chromium', args: [...browserFlags] });
    undo.push(() => browser.close());
    return {
      url,
      guardedUrl,
      stores,
      worker,
      browser,
      open: (options = {}) => openPage(browser, options.at ?? url, options),
      rush: (couponId, users, prefix = 'rush') => rush(url, couponId, userNames(prefix, users)),
      crowd: (couponIds) => startCrowd(url, couponIds),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const { JWT_ISSUER = '', JWT_AUDIENCE = '', JWT_SECRET = '' } = tokenSettings;
const tokens = { JWT_ISSUER, JWT_AUDIENCE, JWT_SECRET };

interface Parts {
  readonly stores: Stores;
  readonly api: TestApi;
  readonly pages: readonly PageFile[];
  readonly undo: (() => Promise<unknown>)[];
}

/** One installation, and its address. Keys are known, and forgotten, within a tenth of a second. */
async function installation({ stores, api, pages, undo }: Parts, settings: Settings): Promise<string> {
  const log = createLog('api', 'silent');
  const config = stores.configWith({ ADMIN_API_KEY: OPERATOR_KEY, KEYS_MS_MAX: 100, ...settings });
  const access = await openAccess({
    config,
    database: stores.database,
    redis: stores.redis,
    log,
    metrics: createAuthMetrics(),
  });
  undo.push(async () => access.stop());
  const app = createApp({ ...api, ...access, pages, config, readiness: async () => ready, log });
  const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: (error) => log.error({ error }, '') });
  undo.push(() => server.stop());
  return server.url;
}

/** No network but the loopback, no first-run pages; a container has no sandbox of the kernel's. */
export const browserFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
] as const;

/** A page of its own session; what goes wrong in it is kept in `faults`. */
export async function openPage(
  browser: Browser,
  url: string,
  { language = 'en-GB', dark, phone, width = phone ? 390 : 1280, zone = 'Asia/Seoul' }: PageOptions,
) {
  const context = await browser.newContext({
    baseURL: url,
    locale: language,
    timezoneId: zone,
    colorScheme: dark ? 'dark' : 'light',
    viewport: { width, height: phone ? 844 : 900 },
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  // Also what the policy of the page forbids. Refusals are told there too, and are none of its faults.
  page.on('console', (message) => {
    if (message.type() !== 'error' || /status of 4\d\d/.test(message.text())) return;
    faults.push(`${message.text()} ${message.location().url}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) faults.push(`asked another server: ${request.url()}`);
  });
  return { page, faults };
}

function userNames(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

async function rush(url: string, couponId: number, users: readonly string[]): Promise<number> {
  const answers = await Promise.all(
    users.map(async (userId) => {
      const answer = await fetch(`${url}/v2/issue-async`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ couponId, userId }),
      });
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
  return answers.filter((status) => status === 202).length;
}

function startCrowd(url: string, couponIds: readonly number[]): AsyncDisposable {
  const asking = new Set<Promise<unknown>>();
  let waves = 0;
  const timer = setInterval(() => {
    const wave = (waves += 1);
    for (const couponId of couponIds) {
      const asked: Promise<unknown> = rush(url, couponId, userNames(`wave-${wave}`, 80)).finally(() =>
        asking.delete(asked),
      );
      asking.add(asked);
    }
  }, 100);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await Promise.all(asking);
    },
  };
}
