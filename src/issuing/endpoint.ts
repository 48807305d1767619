// endpoint.ts -- One issue endpoint, the hot path: from the body of a request to the text of its answer.
//
// It uses no hooks, reads and checks the body itself, and answers from prebuilt parts, so that it costs about what a route costs
// that only validates the same body.

import { Type } from '@sinclair/typebox';
import { type Authority, mayActFor, userMismatch } from '../auth/authority.ts';
import type { Caller } from '../auth/tokens.ts';
import { CouponId, SentUserId } from '../coupon/ids.ts';
import { type Outcome, type Refusal, Unavailable, type UnavailableReason } from '../coupon/outcome.ts';
import { bodyReader } from '../http/body.ts';
import { invalid, type ProblemCode, problem, problemInit, problemText, retryAfter } from '../http/problem.ts';
import { type Limiter, setRateLimitHeaders, shouldSendHeaders, tooMany } from '../http/rate-limit/limiter.ts';
import type { IssueOnce, KeyedOutcome } from './idempotency.ts';
import type { IssuerName } from './issuer.ts';
import type { IssuePipeline } from './pipeline.ts';

/** The result of a request, for metrics: an outcome, or why there is none. */
export type RequestResult =
  | Outcome['kind']
  | Exclude<UnavailableReason, 'unwritten'>
  | 'invalid'
  | 'failed'
  | 'unauthenticated'
  | 'forbidden'
  | 'limited';

/** What the three endpoints need. */
export interface EndpointDependencies {
  readonly config: { readonly BODY_BYTES_MAX: number; readonly RETRY_AFTER_S: number };
  readonly authority: Pick<Authority, 'isOn' | 'admit'>;
  /** null: users are not limited. */
  readonly userLimiter: Pick<Limiter, 'take'> | null;
  /** null: no CAPTCHA. Returns null, or the answer that refuses. */
  readonly isHuman: ((request: Request) => Promise<Response | null>) | null;
  readonly issuance: Pick<IssuePipeline, 'issue'>;
  /** The same under an `Idempotency-Key`. */
  readonly issueOnce: IssueOnce;
  readonly metrics: {
    /** Called once for each request of an issue endpoint, just before its answer is sent. */
    readonly observeRequest: (endpoint: IssuerName, result: RequestResult, seconds: number) => void;
  };
}

/** Body of the three issue endpoints. */
export const IssueRequest = Type.Object(
  { couponId: CouponId, userId: SentUserId },
  { $id: 'IssueRequest', additionalProperties: false },
);

/** Makes the handler of an endpoint: `status` and `word` of its success, the issuer that decides. */
export function issueEndpoint(
  endpoint: IssuerName,
  status: 201 | 202,
  word: 'ISSUED' | 'ACCEPTED',
  dependencies: EndpointDependencies,
): (request: Request) => Promise<Response> {
  const { config, authority, userLimiter, isHuman, metrics } = dependencies;
  const readBody = bodyReader(IssueRequest, config.BODY_BYTES_MAX);
  const decide = decider(endpoint, status, word, dependencies);
  const refused = (result: RequestResult, startMs: number, answer: Response) => {
    metrics.observeRequest(endpoint, result, (performance.now() - startMs) / 1000);
    return answer;
  };
  return async (request) => {
    const startMs = performance.now();
    // Awaited only where it must be: a known caller goes on in the same turn.
    const admitted = authority.admit(request, 'issue');
    const caller = admitted instanceof Promise ? await admitted : admitted;
    if (caller instanceof Response) return refused(resultOf(caller), startMs, caller);
    const body = await readBody(request);
    if (body instanceof Response) return refused('invalid', startMs, body);
    const userId = String(body.userId);
    if (!mayActFor(caller, userId)) return refused('forbidden', startMs, userMismatch());
    const allowance = userLimiter === null ? null : userLimiter.take(userId);
    if (allowance?.isRefused) return refused('limited', startMs, tooMany('user', allowance));
    // A backend with a key answers for its users itself.
    if (isHuman !== null && (caller.userId !== null || !authority.isOn)) {
      const answer = await isHuman(request);
      if (answer !== null) return refused(resultOf(answer), startMs, answer);
    }
    const decided = decide(request, body.couponId, userId, startMs, caller);
    const answer = decided instanceof Promise ? await decided : decided;
    return allowance === null || !shouldSendHeaders(allowance) ? answer : setRateLimitHeaders(answer, allowance);
  };
}

/** The result of a request that was refused before a decision. */
function resultOf({ status }: Response): RequestResult {
  return status === 401 ? 'unauthenticated' : status === 403 ? 'forbidden' : 'dependency';
}

/** Makes the way from an admitted request to its answer. */
function decider(
  endpoint: IssuerName,
  status: 201 | 202,
  word: 'ISSUED' | 'ACCEPTED',
  { config, issuance, issueOnce, metrics }: EndpointDependencies,
): (
  request: Request,
  couponId: number,
  userId: string,
  startMs: number,
  caller: Caller,
) => Response | Promise<Response> {
  const unavailable = unavailableAnswers(config.RETRY_AFTER_S);
  const observe = (result: RequestResult, startMs: number) =>
    metrics.observeRequest(endpoint, result, (performance.now() - startMs) / 1000);
  const fail = (cause: unknown, startMs: number): Response => {
    // Answered here and not in the app's `onError`: under overload this is the common answer, and must stay cheap. The
    // reason was logged where it was thrown, once for the whole batch.
    // Only the use of an issue waits for a row.
    const isKnown = cause instanceof Unavailable && cause.reason !== 'unwritten';
    observe(isKnown ? cause.reason : 'failed', startMs);
    if (cause instanceof Unavailable) return unavailable(cause.reason);
    throw cause;
  };
  const answerTo = (
    outcome: Outcome,
    couponId: number,
    userId: string,
    startMs: number,
    replayed: boolean,
  ): Response => {
    observe(replayed ? 'already issued' : outcome.kind, startMs);
    if (outcome.kind !== 'issued') return refuse(outcome);
    const text = `{"couponId":${couponId},"userId":"${userId}","sequence":${outcome.sequence},"status":"${word}"}`;
    const location = `/v1/coupons/${couponId}/issues/${encodeURIComponent(userId)}`;
    const headers = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff', location };
    return new Response(text, { status, headers: replayed ? { ...headers, 'idempotency-replayed': 'true' } : headers });
  };
  return (request, couponId, userId, startMs, { keyDigest }) => {
    const header = request.headers.get('idempotency-key');
    const failed = (cause: unknown) => fail(cause, startMs);
    if (header !== null) {
      const key = readKey(header);
      if (key === null) {
        observe('invalid', startMs);
        return invalid([{ in: 'header', pointer: '/Idempotency-Key', expected: String(IdempotencyKey.description) }]);
      }
      const keyed = { key, ...(keyDigest !== undefined && { keyDigest }), issuer: endpoint, couponId, userId };
      return issueOnce(keyed).then((result) => {
        if (result.kind === 'decided') return answerTo(result.outcome, couponId, userId, startMs, result.replayed);
        observe(undecided[result.kind].result, startMs);
        return undecided[result.kind].answer(config.RETRY_AFTER_S);
      }, failed);
    }
    const decided = issuance.issue(endpoint, couponId, userId);
    // The refusal cache answers in the same turn, and in a rush most answers are its.
    if (!(decided instanceof Promise)) return answerTo(decided, couponId, userId, startMs, false);
    return decided.then((outcome) => answerTo(outcome, couponId, userId, startMs, false), failed);
  };
}

/** Why a request under an `Idempotency-Key` was not decided. */
const undecided = {
  'other request': { result: 'invalid', answer: () => problem('IDEMPOTENCY_KEY_REUSED') },
  'too many of caller': {
    result: 'limited',
    answer: (retryAfterS: number) =>
      problem(
        'TOO_MANY_REQUESTS',
        'Too many idempotency keys of this caller are remembered. Nothing was decided.',
        {},
        retryAfter(retryAfterS),
      ),
  },
  'too many': {
    result: 'overloaded',
    answer: (retryAfterS: number) =>
      problem(
        'FAIL_COUPON_ISSUE_REQUEST',
        'Too many idempotency keys are remembered. Nothing was decided for this request; it can be sent without a key.',
        {},
        retryAfter(retryAfterS),
      ),
  },
} as const satisfies Record<Exclude<KeyedOutcome['kind'], 'decided'>, unknown>;

const keyPattern = String.raw`^(?:"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255}"|[\x21\x23-\x7e]{1,255})$`;
const keyForm = new RegExp(keyPattern);

/** What an `Idempotency-Key` must be. */
export const IdempotencyKey = Type.String({
  pattern: keyPattern,
  description: 'a text of 1 to 255 visible ASCII characters, new for each request, such as "8e03978e-40d5"',
});

/** The key without its quotes: the draft has them, many clients have not. */
function readKey(header: string): string | null {
  if (!keyForm.test(header)) return null;
  return header.startsWith('"') ? header.slice(1, -1).replaceAll(/\\(.)/g, '$1') : header;
}

function refuse(outcome: Exclude<Outcome, { kind: 'issued' }>): Response {
  if (outcome.kind === 'already issued') {
    return problem('DUPLICATED_COUPON_ISSUE', undefined, { sequence: outcome.sequence });
  }
  const { text, init } = refusals[outcome.kind];
  return new Response(text, init);
}

/** Refusals do not differ from one request to the next, and a rush answers millions: each is written once. */
const refusals = {
  'not exist': prebuilt('COUPON_NOT_EXIST'),
  paused: prebuilt('INVALID_COUPON_ISSUE_DATE', 'Issuing of this coupon is paused.'),
  'not started': prebuilt('INVALID_COUPON_ISSUE_DATE', 'Issuing of this coupon has not started.'),
  ended: prebuilt('INVALID_COUPON_ISSUE_DATE', 'Issuing of this coupon has ended.'),
  'sold out': prebuilt('INVALID_COUPON_ISSUE_QUANTITY'),
} satisfies Record<Refusal['kind'], unknown>;

function prebuilt(code: ProblemCode, detail?: string) {
  return { text: problemText(code, detail), init: problemInit(code) };
}

/** Makes the answers to `Unavailable`, which say whether something may have been decided: 503 with `Retry-After`. */
export function unavailableAnswers(retryAfterS: number): (reason: UnavailableReason) => Response {
  const answerOf = (detail: string) => problemText('FAIL_COUPON_ISSUE_REQUEST', detail);
  const answers = {
    overloaded: answerOf('Too many requests are waiting. Nothing was decided for this one.'),
    stopping: answerOf('This server is stopping. Nothing was decided.'),
    dependency: answerOf('Redis or MySQL did not respond. The result is unknown; retry to find out.'),
    unwritten: answerOf('The issue is accepted, and not yet a row in MySQL. Nothing was used; retry in a moment.'),
  } satisfies Record<UnavailableReason, unknown>;
  return (reason) => new Response(answers[reason], problemInit('FAIL_COUPON_ISSUE_REQUEST', retryAfter(retryAfterS)));
}
