// fake-site.ts -- The built pages on a server without stores, in a real browser: how the page of a drop looks and behaves in every state.

import { type Browser, chromium } from 'playwright-core';
import type { Coupon } from '../../src/coupon/coupon.ts';
import type { DropPageSettings } from '../../src/drops/drop-page.ts';
import type { Listener, Progress } from '../../src/issues/progress.ts';
import { loadPages } from '../../src/runtime/page-files.ts';
import { serve } from '../../src/runtime/serve.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { coupon, fakeApp, fakeAuthority, fakeConfig } from '../http/fakes.ts';
import { browserFlags, openPage, type PageOptions } from './live-system.ts';

export interface FakeSite extends AsyncDisposable {
  readonly url: string;
  readonly browser: Browser;
  open(options?: PageOptions): ReturnType<typeof openPage>;
  /** From now on the coupon is so; pages that listen are told. */
  become(change: Partial<Coupon> & { readonly left?: number | null }): void;
  /** From now on so many are left; pages that listen are told, and the coupon stays at its version. */
  tell(stock: { readonly left: number }): void;
}

/** One coupon, number 1, of which the first user gets number 37. */
export async function startFakeSite(
  settings: DropPageSettings,
  first: Partial<Coupon> = {},
  authority = fakeAuthority({ isOn: false }),
): Promise<FakeSite> {
  const hour = 3_600_000;
  let now: Coupon = {
    ...coupon,
    startMs: Date.now() - hour,
    endMs: Date.now() + 24 * hour,
    usableDays: 30,
    timeZone: 'Asia/Seoul',
    ...first,
  };
  let left: number | null = 963;
  const listeners = new Set<Listener>();
  const progress = (): Progress => {
    const { id: couponId, version, totalQuantity, paused } = now;
    return { couponId, version, totalQuantity, paused, left, issued: 37, unpersisted: 0, issuedPerSecond: 0 };
  };
  const { app } = fakeApp({
    config: { ...fakeConfig, ...settings },
    authority,
    pages: await loadPages(),
    readPublic: async (id) => (id === now.id ? now : null),
    progress: {
      async listen(_, listener) {
        listeners.add(listener);
        listener.next(progress());
        return () => void listeners.delete(listener);
      },
      recent: async () => progress(),
    },
  });
  const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: (error) => console.error(error) });
  const browser = await chromium.launch({ executablePath: findBrowser() ?? 'chromium', args: [...browserFlags] });
  return {
    url: server.url,
    browser,
    open: (options = {}) => openPage(browser, server.url, options),
    become(change) {
      const { left: nowLeft = left, ...terms } = change;
      left = nowLeft;
      now = { ...now, ...terms, version: now.version + 1 };
      for (const listener of listeners) listener.next(progress());
    },
    tell(stock) {
      left = stock.left;
      for (const listener of listeners) listener.next(progress());
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      for (const listener of listeners) listener.end();
      await server.stop(100);
    },
  };
}
