// issue.ts -- Issues a coupon to a user, with retries, and says who has it: only what is confirmed.
//
// A user has a coupon at most once, so a retry does no harm. After an ambiguous attempt:
// - DUPLICATED_COUPON_ISSUE with a sequence means that the user has it: usually by that very attempt.
// - Sold out means that they do not: the server checks for an issue of the user before it checks the stock.
// - Not open proves nothing: the coupon may have ended, or been paused, between the attempts, and the server checks that before it
//   looks for an issue of the user. The status of the issue tells.
// - A refusal for another reason, such as a token that expired meanwhile, proves nothing either: the result stays ambiguous.

import type { IssueRequest as IssueBody, IssueState, UsedIssue } from './api-types.ts';
import { readIssue, readIssueState, readUsedIssue } from './answers.ts';
import {
  type Ambiguous,
  ambiguousResult,
  type CallOptions,
  type ClientContext,
  type Refused,
  type RequestResult,
  type RequestSpec,
  requestWithRetry,
} from './request.ts';

/** A coupon and the user who is to have it, or has it. */
export interface IssueRequest extends Pick<IssueBody, 'couponId'> {
  readonly userId: number | string;
}

/** What `issue` takes: a token of the user says who it is, so that the user may be left out. */
export interface OwnIssueRequest extends Pick<IssueBody, 'couponId'> {
  readonly userId?: IssueRequest['userId'];
}

export type IssueResult =
  /** The user has it. `isRecovered`: by an earlier attempt. `ACCEPTED`: durable, and a row soon, if not already. */
  | {
      readonly kind: 'issued';
      readonly sequence: number;
      readonly status: 'ISSUED' | 'ACCEPTED';
      readonly isRecovered: boolean;
    }
  /** The user had it before this call. */
  | { readonly kind: 'already issued'; readonly sequence: number }
  | { readonly kind: 'not exist' | 'sold out' }
  /** Before the start, from the end on, or paused: `detail` says which, for people. */
  | { readonly kind: 'not open'; readonly detail: string }
  /** For a reason that is not the coupon: authentication, a rate limit, a malformed request. This call has issued nothing. */
  | Refused
  /** The user may have it. Retry later with `afterAmbiguous`, or read the status. */
  | Ambiguous;

export interface IssueOptions extends CallOptions {
  /** Which of the three endpoints decides; by default `scripted`. */
  readonly by?: 'synchronous' | 'locked' | 'scripted';
  /** The same for the same request, also after a restart of your program: 1 to 255 visible ASCII characters. */
  readonly idempotencyKey?: string;
  /** Whether the result of an earlier call for the same was ambiguous: then a refusal proves no more than it does within one call. */
  readonly afterAmbiguous?: boolean;
}

/** Sends until the result is known, within the bounds. */
export async function issueWithRetry(
  { couponId, userId }: OwnIssueRequest,
  options: IssueOptions,
  context: ClientContext,
): Promise<IssueResult> {
  const endMs = context.nowMs() + context.bounds.timeMsMax;
  const result = await requestWithRetry(
    {
      method: 'POST',
      path: paths[options.by ?? 'scripted'],
      body: { couponId, userId },
      headers: { 'idempotency-key': options.idempotencyKey },
      read: readIssue,
      isIdempotent: true,
    },
    context,
    options,
  );
  if (result.kind === 'ambiguous') return result;
  if (result.kind === 'refused') {
    // In what is left of the time: the bound is for the whole call.
    const bounds = { ...context.bounds, timeMsMax: endMs - context.nowMs() };
    const afterAmbiguous = result.afterAmbiguous || options.afterAmbiguous === true;
    const readStatus: ReadStatus | null =
      userId === undefined
        ? null
        : () => requestWithRetry(statusRequest({ couponId, userId }), { ...context, bounds }, options);
    return resultOfRefusal({ ...result, afterAmbiguous }, readStatus);
  }
  const { sequence, status } = result.value;
  return { kind: 'issued', sequence, status, isRecovered: result.isReplayed };
}

/** Asks for the status of an issue; an accepted one is given `waitMs` to become a row. */
export function statusRequest(request: IssueRequest, waitMs = 0): RequestSpec<IssueState> {
  const path = `${pathOf(request)}${waitMs > 0 ? `?waitMs=${waitMs}` : ''}`;
  return { method: 'GET', path, read: readIssueState, isIdempotent: true, waitMs };
}

export function useRequest(request: IssueRequest, reference: string | undefined): RequestSpec<UsedIssue> {
  const body = reference === undefined ? {} : { body: { reference } };
  return { method: 'POST', path: `${pathOf(request)}/use`, ...body, read: readUsedIssue, isIdempotent: true };
}

export function useCodeRequest(code: string, reference: string | undefined): RequestSpec<UsedIssue> {
  const body = reference === undefined ? {} : { body: { reference } };
  return { method: 'POST', path: `/v1/codes/${segment(code)}/use`, ...body, read: readUsedIssue, isIdempotent: true };
}

export function undoRequest(request: IssueRequest, reference: string | undefined): RequestSpec<IssueState> {
  const query = reference === undefined ? '' : `?${new URLSearchParams({ reference }).toString()}`;
  return { method: 'DELETE', path: `${pathOf(request)}/use${query}`, read: readIssueState, isIdempotent: true };
}

export function revokeRequest(request: IssueRequest, reason: string): RequestSpec<IssueState> {
  const path = `${pathOf(request)}/revoke`;
  return { method: 'POST', path, body: { reason }, read: readIssueState, isIdempotent: true };
}

function pathOf({ couponId, userId }: IssueRequest): string {
  return `/v1/coupons/${couponId}/issues/${segment(userId)}`;
}

/** Text as one segment of a path. */
export function segment(text: number | string): string {
  // `.` and `..` would be resolved away, and the request go elsewhere; with a space the server sees no user id and says so.
  return encodeURIComponent(String(text).toWellFormed()).replace(/^\.{1,2}$/, '%20$&');
}

type ReadStatus = () => Promise<RequestResult<IssueState>>;

/** @param readStatus null where the status cannot be read, since only the token knows the user */
async function resultOfRefusal(refused: Refused, readStatus: ReadStatus | null): Promise<IssueResult> {
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
    if (!afterAmbiguous) return notOpen;
    if (readStatus !== null) return confirmByStatus(refused, notOpen, readStatus);
  }
  return afterAmbiguous ? ambiguousResult('refused', refused.attempts, refused) : refused;
}

/** Returns `none` only when the user really has none. */
async function confirmByStatus(refused: Refused, none: IssueResult, readStatus: ReadStatus): Promise<IssueResult> {
  const result = await readStatus();
  if (result.kind === 'ambiguous') return result;
  if (result.kind === 'refused') return ambiguousResult('refused', refused.attempts, refused);
  const { status, sequence } = result.value;
  if (status === 'NONE' || sequence === null) return none;
  return { kind: 'issued', sequence, status: status === 'ACCEPTED' ? 'ACCEPTED' : 'ISSUED', isRecovered: true };
}

const paths = { synchronous: '/v1/issue', locked: '/v1/issue-async', scripted: '/v2/issue-async' } as const;
