// The result of each request: counted by kind for the thresholds, with each sequence recorded for the verification.
import exec from 'k6/execution';
import type { Response } from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';
import { answerLine } from './log.ts';

const greeted = new Counter('answers_greeted');
const accepted = new Counter('answers_accepted');
const duplicated = new Counter('answers_duplicated');
const soldOut = new Counter('answers_sold_out');
const indeterminate = new Counter('answers_indeterminate');
const unexpected = new Counter('answers_unexpected');
const indeterminateShare = new Rate('answers_indeterminate_share');
const firstSoldOut = new Trend('first_sold_out_after', true);

/** Every virtual user has a copy of this module: each reports its first such answer only. */
let sawSoldOut = false;
let sawUnexpected = false;

/** The answer of `GET /hello`. */
export function countGreeting(response: Response): void {
  if (response.status === 200 && response.body === 'hello') greeted.add(1);
  else countUnexpected(response);
}

/**
 * The answer of an issue endpoint.
 *
 * @param success the status of a success: 201 or 202
 * @param canSellOut whether the coupon has fewer pieces than are asked for
 */
export function countAnswer(
  response: Response,
  userId: number | string,
  success: 201 | 202,
  canSellOut: boolean,
): void {
  const body = typeof response.body === 'string' ? response.body : '';
  const isIndeterminate = response.status === 0 || response.status === 503;
  indeterminateShare.add(isIndeterminate);
  if (isIndeterminate) {
    indeterminate.add(1);
    return;
  }
  const sequence = /"sequence":(\d+)/.exec(body)?.[1];
  if (response.status === success && sequence !== undefined) {
    accepted.add(1);
    // The console is the record: k6 writes it to the file that the runner names.
    console.log(`${success} ${userId} ${sequence}`);
  } else if (response.status === 409 && sequence !== undefined && body.includes('"DUPLICATED_COUPON_ISSUE"')) {
    duplicated.add(1);
    console.log(`409 ${userId} ${sequence}`);
  } else if (response.status === 409 && canSellOut && body.includes('"INVALID_COUPON_ISSUE_QUANTITY"')) {
    countSoldOut();
  } else {
    countUnexpected(response);
  }
}

function countSoldOut(): void {
  soldOut.add(1);
  if (sawSoldOut) return;
  sawSoldOut = true;
  firstSoldOut.add(Date.now() - exec.scenario.startTime);
}

function countUnexpected(response: Response): void {
  unexpected.add(1);
  if (sawUnexpected) return;
  sawUnexpected = true;
  console.log(`note ${answerLine(response)}`);
}
