// page-data.ts -- What the server put into the page: the coupon as it was then, and what the shop has set.

import type { Drop } from '../../client/coupon-client.ts';

interface PageData {
  readonly drop: Drop | null;
  readonly brand?: string;
  readonly logo?: string;
  readonly picture?: string;
  /** Where a winner goes on. */
  readonly next?: string;
  /** Where the others find what else there is. */
  readonly more?: string;
}

const found = document.getElementById('app');
if (found === null) throw new Error('the page has no place for the drop');
export const app = found;

export const pageData = JSON.parse(app.dataset['page'] ?? '{"drop":null}') as PageData;

export const couponId = Number(/\/(\d{1,16})$/.exec(location.pathname)?.[1] ?? 0);

/** When the page was asked for and answered, as `performance.now()` tells it; null for a page that may come from the browser's history. */
export function navigationTimes(): { readonly sentMs: number; readonly answeredMs: number } | null {
  const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  if (!entry || entry.type === 'back_forward' || entry.responseStart === 0) return null;
  return { sentMs: entry.requestStart, answeredMs: entry.responseStart };
}
