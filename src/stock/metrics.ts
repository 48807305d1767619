// metrics.ts -- The metrics of the stock: openings, and the levels of the coupons that matter now.

import { counter, dynamicGauge } from '../telemetry/registry.ts';

/** Coupons with series of their own: of those that are not over the ones requested last, then the newest. */
export const COUPONS_LISTED_MAX = 20;

export type OpeningMetrics = ReturnType<typeof createOpeningMetrics>;

export function createOpeningMetrics() {
  return {
    failoverIssues: counter(
      'coupon_failover_issues_total',
      'Answered issues that Redis lacked after a restart or failover: put back by offering, or lost',
      ['result', ['restored', 'lost']],
    ),
    openings: counter(
      'coupon_openings_total',
      'Openings of a coupon in Redis: first, rebuilt after a loss, proven after a restart, or blocked by an entry that cannot be decoded',
      ['kind', ['first', 'rebuilt', 'proven', 'blocked']],
    ),
  };
}

export function createStockMetrics() {
  const perCoupon = (name: string, help: string) => dynamicGauge(name, help, 'coupon', COUPONS_LISTED_MAX);
  return {
    stockQuantity: perCoupon('coupon_stock_quantity', 'Total quantity of a coupon; none for an unlimited coupon'),
    stockIssued: perCoupon('coupon_stock_issued', 'Issues that the home of the stock has given out'),
    stockRows: perCoupon('coupon_stock_rows', 'Issues that are rows in MySQL'),
    stockLeft: perCoupon('coupon_stock_left', 'Issues left at the home of the stock; none for an unlimited coupon'),
  };
}
