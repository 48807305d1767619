// issuing.ts -- Asks for a coupon and says who has it: only what is known, and after a lost answer what asking again has told.
//
// An issue happens at most once for a user, so asking again does no harm. After a try whose ending nobody knows:
// - DUPLICATED_COUPON_ISSUE with a sequence means that the user has it: mostly that try was the one that got it.
// - Sold out means that they have none: the server looks who has it before it looks what is left.
// - Not open does not: the coupon may have ended, or been paused, between the tries, and then it is refused before anybody looks
//   who has it. The status of the issue tells.
// - What is refused for another reason, such as a token that expired meanwhile, tells nothing: the ending stays unknown.

import { type IssueStatus, readIssue, readStatus } from './answers.ts';
import {
  type RequestSpec,
  type CallOptions,
  type RequestResult,
  exchange,
  type Refused,
  type ClientContext,
  type Unknown,
} from './exchange.ts';

/** A coupon and who is to have it. */
export interface IssueOf {
  readonly couponId: number;
  readonly userId: number | string;
}

/** How asking for a coupon ended. */
export type IssueResult =
  /** It is theirs. `isRecovered`: an earlier try got it, and this one told. `ACCEPTED`: durable, and a row soon, if not already. */
  | {
      readonly kind: 'issued';
      readonly sequence: number;
      readonly status: 'ISSUED' | 'ACCEPTED';
      readonly isRecovered: boolean;
    }
  /** They had it before this call. */
  | { readonly kind: 'already issued'; readonly sequence: number }
  | { readonly kind: 'not exist' | 'sold out' }
  /** Before the start, from the end on, or paused: `detail` says which, for people. */
  | { readonly kind: 'not open'; readonly detail: string }
  /** The request itself: who asks, how often, or what was sent. Nothing was issued by this call. */
  | Refused
  /** They may have it. Ask again later, or ask for the status. */
  | Unknown;

export interface IssueOptions extends CallOptions {
  /** Which of the three endpoints decides; `scripted` unless named. */
  readonly by?: 'synchronous' | 'locked' | 'scripted';
  /** The same for the same request, also after a restart of your program: 1 to 255 visible ASCII characters. */
  readonly idempotencyKey?: string;
  /** Whether an earlier call for the same has ended `unknown`: then what is refused now proves no more than within one call. */
  readonly afterAmbiguous?: boolean;
}

/** Asks until the ending is known, within the bounds. */
export async function issueUntilKnown(
  wanted: IssueOf,
  options: IssueOptions,
  terms: ClientContext,
): Promise<IssueResult> {
  const endMs = terms.nowMs() + terms.bounds.timeMsMax;
  const ending = await exchange(
    {
      method: 'POST',
      path: paths[options.by ?? 'scripted'],
      body: { couponId: wanted.couponId, userId: wanted.userId },
      headers: { 'idempotency-key': options.idempotencyKey },
      read: readIssue,
      isRepeatable: true,
    },
    terms,
    options,
  );
  if (ending.kind === 'unknown') return ending;
  if (ending.kind === 'refused') {
    // In what is left of the time: the bound is for the whole call.
    const bounds = { ...terms.bounds, timeMsMax: endMs - terms.nowMs() };
    const afterAmbiguous = ending.afterAmbiguous || options.afterAmbiguous === true;
    return resultOfRefusal({ ...ending, afterAmbiguous }, () =>
      exchange(statusOf(wanted), { ...terms, bounds }, options),
    );
  }
  const { sequence, status } = ending.value;
  return { kind: 'issued', sequence, status, isRecovered: ending.isReplayed };
}

/** The question for the status of an issue. */
export function statusOf({ couponId, userId }: IssueOf, waitMs = 0): RequestSpec<IssueStatus> {
  const query = waitMs > 0 ? `?waitMs=${waitMs}` : '';
  const path = `/v1/coupons/${couponId}/issues/${segment(userId)}${query}`;
  return { method: 'GET', path, read: readStatus, isRepeatable: true, waitMs };
}

/** Text as one segment of a path. */
export function segment(text: number | string): string {
  // `.` and `..` would be resolved away, and the request go elsewhere; escaped twice, the server sees no user id and says so.
  return encodeURIComponent(String(text).toWellFormed()).replace(/^\.{1,2}$/, (dots) => '%252E'.repeat(dots.length));
}

async function resultOfRefusal(
  refused: Refused,
  askStatus: () => Promise<RequestResult<IssueStatus>>,
): Promise<IssueResult> {
  const { problem, afterAmbiguous } = refused;
  const { code, detail, sequence } = problem;
  if (code === 'DUPLICATED_COUPON_ISSUE' && sequence !== undefined) {
    if (!afterAmbiguous) return { kind: 'already issued', sequence };
    return { kind: 'issued', sequence, status: 'ACCEPTED', isRecovered: true };
  }
  if (code === 'COUPON_NOT_EXIST') return { kind: 'not exist' };
  if (code === 'INVALID_COUPON_ISSUE_QUANTITY') return { kind: 'sold out' };
  if (code === 'INVALID_COUPON_ISSUE_DATE') {
    const notOpen = { kind: 'not open', detail } as const;
    return afterAmbiguous ? settle(refused, notOpen, askStatus) : notOpen;
  }
  return afterAmbiguous ? stillUnknown(refused) : refused;
}

/** Says `none` only when the user really has none. */
async function settle(
  refused: Refused,
  none: IssueResult,
  askStatus: () => Promise<RequestResult<IssueStatus>>,
): Promise<IssueResult> {
  const asked = await askStatus();
  if (asked.kind !== 'done') return asked.kind === 'unknown' ? asked : stillUnknown(refused);
  const { status, sequence } = asked.value;
  if (status === 'NONE' || sequence === null) return none;
  return { kind: 'issued', sequence, status: status === 'ACCEPTED' ? 'ACCEPTED' : 'ISSUED', isRecovered: true };
}

function stillUnknown({ problem, retryAfterMs, tries }: Refused): Unknown {
  return { kind: 'unknown', because: 'refused', tries, problem, cause: null, retryAfterMs };
}

const paths = { synchronous: '/v1/issue', locked: '/v1/issue-async', scripted: '/v2/issue-async' } as const;
