// The coupon of a run: made by k6's `setup` through the operators' routes, once the target says that it is ready.
import exec from 'k6/execution';
import http from 'k6/http';
import { answerLine } from './log.ts';

const dayMs = 86_400_000;
const requestOptions = { timeout: '5s' };

/** Ends the run before any load is sent, when the target is not ready. */
export function refuseUnhealthy(target: string): void {
  const response = http.get(`${target}/readyz`, requestOptions);
  if (response.status !== 200) exec.test.abort(`TARGET is not ready: ${target}/readyz answers ${answerLine(response)}`);
}

/**
 * Makes a coupon that is open now. Ends the run when it cannot be made.
 *
 * @param stock its pieces; null for no limit
 * @returns its id
 */
export function createCoupon(target: string, adminApiKey: string, stock: number | null, title: string): number {
  const startMs = Date.now() - 60_000;
  const coupon = {
    title,
    totalQuantity: stock,
    discountAmount: 1_000,
    minAvailableAmount: 10_000,
    dateIssueStart: new Date(startMs).toISOString(),
    dateIssueEnd: new Date(startMs + dayMs).toISOString(),
  };
  const response = http.post(`${target}/v1/coupons`, JSON.stringify(coupon), {
    ...requestOptions,
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${adminApiKey}` },
  });
  const id = Number(/"id":(\d+)/.exec(answerLine(response))?.[1]);
  if (response.status !== 201 || !(id > 0)) {
    exec.test.abort(
      `a coupon cannot be created: ${target}/v1/coupons answers ${answerLine(response)}; see ADMIN_API_KEY`,
    );
  }
  return id;
}
