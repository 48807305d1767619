// The audit of the run's coupon, read by `teardown`: each promise is a check, so that k6 itself fails a run that is wrong.
//
// It is the system's own count. `bench/verify.ts` reads the stores without it, and compares each single answer with its row.
import { check, sleep } from 'k6';
import http from 'k6/http';
import { type Audit, promisesIn } from './promises.ts';
import { answerLine } from './log.ts';

export interface AuditOptions {
  readonly target: string;
  readonly adminApiKey: string;
  readonly couponId: number;
  /** Whether more was asked for than there is, so that nothing may be left. */
  readonly runsOut: boolean;
}

/** How long the worker may still take to write what was accepted. */
const WAIT_S_MAX = 30;
const PAUSE_S = 0.25;

/** A teardown may take this long: the wait, and one more audit that reads very many rows. */
export const TEARDOWN_TIMEOUT = '90s';

/** Waits until every accepted issue is a row, at most half a minute, then checks the promises; a threshold on `checks` judges. */
export function checkPromises(options: AuditOptions): void {
  const deadlineMs = Date.now() + WAIT_S_MAX * 1000;
  let { audit, text } = ask(options);
  while (audit !== null && audit.unpersisted > 0 && Date.now() < deadlineMs) {
    sleep(PAUSE_S);
    ({ audit, text } = ask(options));
  }
  const held = audit === null ? { 'the audit is answered': false } : promisesIn(audit, options.runsOut);
  for (const [name, isHeld] of Object.entries(held)) check(null, { [name]: () => isHeld });
  if (Object.values(held).includes(false)) console.log(`note the audit: ${text}`);
}

function ask({ target, adminApiKey, couponId }: AuditOptions): { audit: Audit | null; text: string } {
  const headers = { Authorization: `Bearer ${adminApiKey}` };
  const response = http.get(`${target}/v1/coupons/${couponId}/audit`, { headers, timeout: '30s' });
  return { audit: response.status === 200 ? (response.json() as unknown as Audit) : null, text: answerLine(response) };
}
