// endpoint.ts -- One issue endpoint, the hot path: from the body of a request to the text of its answer.
//
// It uses no hooks, reads and checks the body itself, and answers from prebuilt parts, so that it costs about what a route costs
// that only validates the same body.

import { Type } from '@sinclair/typebox';
import { type Authority, mayActFor, userMismatch } from '../auth/authority.ts';
import type { Caller } from '../auth/tokens.ts';
import { isUserId } from '../coupon/coupon.ts';
import { CouponId, SentUserId } from '../coupon/ids.ts';
import { type Outcome, type Refusal, Unavailable, type UnavailableReason } from '../coupon/outcome.ts';
import { bodyReader } from '../http/body.ts';
import { invalid, problem, problemMaker, retryAfter } from '../http/problem.ts';
import type { ProblemCode } from '../http/document/problems.ts';
import { type Limiter, setRateLimitHeaders, shouldSendHeaders, tooMany } from '../http/rate-limit/limiter.ts';
import { idsOf, newRequestId, requestIdOf } from '../http/request-log/request-ids.ts';
import { noteOf } from '../http/request-log/request-notes.ts';
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
  readonly log: { error(fields: object, message: string): void };
}

/** Body of the three issue endpoints. */
export const IssueRequest = Type.Object(
  { couponId: CouponId, userId: SentUserId },
  { $id: 'IssueRequest', additionalProperties: false },
);

/** The same where callers show who they are: a token names the user, and so the body need not. */
export const OwnIssueRequest = Type.Object(
  {
    couponId: CouponId,
    userId: Type.Optional({
      ...SentUserId,
      description: `${SentUserId.description}. May be left out with a token of the user`,
    }),
  },
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
  const readOwnBody = bodyReader(OwnIssueRequest, config.BODY_BYTES_MAX);
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
    const body = await (caller.userId === null ? readBody(request) : readOwnBody(request));
    if (body instanceof Response) return refused('invalid', startMs, body);
    const userId = String(body.userId ?? caller.userId);
    if (body.userId === undefined && !isUserId(userId)) return refused('invalid', startMs, noUser());
    const note = noteOf(request);
    if (note) Object.assign(note, { couponId: body.couponId, userId });
    if (!mayActFor(caller, userId)) return refused('forbidden', startMs, userMismatch());
    const allowance = userLimiter === null ? null : userLimiter.take(userId);
    if (allowance?.isRefused) return refused('limited', startMs, tooMany('user', allowance));
    // A backend with a key answers for its users itself.
    if (isHuman !== null && (caller.userId !== null || !authority.isOn)) {
      const answer = await isHuman(request);
      if (answer !== null) return refused(resultOf(answer), startMs, answer);
    }
    const decided = decide({ request, couponId: body.couponId, userId, startMs, caller });
    const answer = decided instanceof Promise ? await decided : decided;
    return allowance === null || !shouldSendHeaders(allowance) ? answer : setRateLimitHeaders(answer, allowance);
  };
}

/** The issuer of a token may give out ids that no body could have. */
function noUser(): Response {
  return invalid([{ in: 'body', pointer: '/userId', expected: `${SentUserId.description}, which the token has not` }]);
}

/** The result of a request that was refused before a decision. */
function resultOf({ status }: Response): RequestResult {
  return status === 401 ? 'unauthenticated' : status === 403 ? 'forbidden' : 'dependency';
}

/** A request that is admitted and read. */
interface Admitted {
  readonly request: Request;
  readonly couponId: number;
  readonly userId: string;
  readonly startMs: number;
  readonly caller: Caller;
}

/** Makes the way from an admitted request to its answer. */
function decider(
  endpoint: IssuerName,
  status: 201 | 202,
  word: 'ISSUED' | 'ACCEPTED',
  { config, issuance, issueOnce, metrics, log }: EndpointDependencies,
): (admitted: Admitted) => Response | Promise<Response> {
  const unavailable = unavailableAnswers(config.RETRY_AFTER_S);
  // Each answer copies them, which costs half of what new ones would.
  const headers = new Headers({ 'content-type': 'application/json', 'x-content-type-options': 'nosniff' });
  const observe = (result: RequestResult, { startMs }: Admitted) =>
    metrics.observeRequest(endpoint, result, (performance.now() - startMs) / 1000);
  const fail = (cause: unknown, admitted: Admitted): Response => {
    // Answered here and not in the app's `onError`: under overload this is the common answer, and must stay cheap. The
    // reason was logged where it was thrown, once for the whole batch.
    // Only the use of an issue waits for a row.
    const isKnown = cause instanceof Unavailable && cause.reason !== 'unwritten';
    observe(isKnown ? cause.reason : 'failed', admitted);
    if (cause instanceof Unavailable) return unavailable(cause.reason, requestIdOf(admitted.request));
    throw cause;
  };
  const answerTo = (outcome: Outcome, admitted: Admitted, replayed: boolean): Response => {
    observe(replayed ? 'already issued' : outcome.kind, admitted);
    const { request, couponId, userId } = admitted;
    // Nobody else asks for the id of a request that is answered here, unless it is observed.
    const requestId = noteOf(request) ? requestIdOf(request) : newRequestId(request);
    if (outcome.kind !== 'issued') return refuse(outcome, requestId);
    headers.set('x-request-id', requestId);
    headers.set('location', `/v1/coupons/${couponId}/issues/${encodeURIComponent(userId)}`);
    const text = `{"couponId":${couponId},"userId":"${userId}","sequence":${outcome.sequence},"status":"${word}"}`;
    const answer = new Response(text, { status, headers });
    if (replayed) answer.headers.set('idempotency-replayed', 'true');
    return answer;
  };
  return (admitted) => {
    const { request, couponId, userId } = admitted;
    const note = noteOf(request);
    const header = request.headers.get('idempotency-key');
    if (header !== null) {
      const key = readKey(header);
      if (key === null) {
        observe('invalid', admitted);
        return invalid([{ in: 'header', pointer: '/Idempotency-Key', expected: String(IdempotencyKey.description) }]);
      }
      const { keyDigest } = admitted.caller;
      const keyed = { key, ...(keyDigest !== undefined && { keyDigest }), issuer: endpoint, couponId, userId, note };
      return issueOnce(keyed).then(
        (result) => {
          if (result.kind === 'decided') return answerTo(result.outcome, admitted, result.replayed);
          observe(undecided[result.kind].result, admitted);
          return undecided[result.kind].answer(config.RETRY_AFTER_S);
        },
        (cause: unknown) => {
          logStoreFailure(log, request, cause);
          return fail(cause, admitted);
        },
      );
    }
    const decided = issuance.issue(endpoint, couponId, userId, note);
    // The refusal cache answers in the same turn, and in a rush most answers are its.
    if (!(decided instanceof Promise)) return answerTo(decided, admitted, false);
    return decided.then(
      (outcome) => answerTo(outcome, admitted, false),
      (cause: unknown) => fail(cause, admitted),
    );
  };
}

/** Logs a request that failed because a store did; the request of a batch is not, since its batch is. */
export function logStoreFailure(log: EndpointDependencies['log'], request: Request, error: unknown): void {
  if (!(error instanceof Unavailable) || error.reason !== 'dependency') return;
  log.error({ ...idsOf(request), error }, 'store request failed; result unknown to the caller');
}

/** Why a request under an `Idempotency-Key` was not decided. */
const undecided = {
  'other request': { result: 'invalid', answer: () => problem('IDEMPOTENCY_KEY_REUSED') },
  'too many of caller': {
    result: 'limited',
    answer: (retryAfterS: number) =>
      problem(
        'TOO_MANY_REQUESTS',
        'This caller has too many stored idempotency keys. Nothing was decided.',
        {},
        retryAfter(retryAfterS),
      ),
  },
  'too many': {
    result: 'overloaded',
    answer: (retryAfterS: number) =>
      problem(
        'FAIL_COUPON_ISSUE_REQUEST',
        'Too many idempotency keys are stored. Nothing was decided; the request can be sent without a key.',
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

/** The key without its quotes: the draft has them, many clients have not. Null where it is none. */
export function readKey(header: string): string | null {
  if (!keyForm.test(header)) return null;
  return header.startsWith('"') ? header.slice(1, -1).replaceAll(/\\(.)/g, '$1') : header;
}

function refuse(outcome: Exclude<Outcome, { kind: 'issued' }>, requestId: string): Response {
  if (outcome.kind !== 'already issued') return refusals[outcome.kind](requestId);
  const members = { sequence: outcome.sequence, requestId };
  return problem('DUPLICATED_COUPON_ISSUE', undefined, members, { 'x-request-id': requestId });
}

/** The code of each refusal, and what it does not say by itself. */
export const refusalProblems = {
  'not exist': { code: 'COUPON_NOT_EXIST', detail: undefined },
  paused: { code: 'INVALID_COUPON_ISSUE_DATE', detail: 'Issuing of this coupon is paused.' },
  'not started': { code: 'INVALID_COUPON_ISSUE_DATE', detail: 'Issuing of this coupon has not started.' },
  ended: { code: 'INVALID_COUPON_ISSUE_DATE', detail: 'Issuing of this coupon has ended.' },
  'sold out': { code: 'INVALID_COUPON_ISSUE_QUANTITY', detail: undefined },
} as const satisfies Record<Refusal['kind'], { readonly code: ProblemCode; readonly detail: string | undefined }>;

const makerOf = (kind: Refusal['kind']) => problemMaker(refusalProblems[kind].code, refusalProblems[kind].detail);
const refusals = {
  'not exist': makerOf('not exist'),
  paused: makerOf('paused'),
  'not started': makerOf('not started'),
  ended: makerOf('ended'),
  'sold out': makerOf('sold out'),
} satisfies Record<Refusal['kind'], unknown>;

/** Whether something may have been decided, in words. */
export const unavailableDetails = {
  overloaded: 'Too many requests are waiting. Nothing was decided for this one.',
  stopping: 'This server is stopping. Nothing was decided.',
  dependency: 'Redis or MySQL did not respond. The result is ambiguous; retry to find out.',
  unwritten: 'The issue is accepted, and not yet a row in MySQL. Nothing was changed; retry in a moment.',
} as const satisfies Record<UnavailableReason, string>;

/** Makes the answers to `Unavailable`, which say whether something may have been decided: 503 with `Retry-After`. */
export function unavailableAnswers(retryAfterS: number): (reason: UnavailableReason, requestId: string) => Response {
  const makerFor = (reason: UnavailableReason) => problemMaker('FAIL_COUPON_ISSUE_REQUEST', unavailableDetails[reason]);
  const answers = {
    overloaded: makerFor('overloaded'),
    stopping: makerFor('stopping'),
    dependency: makerFor('dependency'),
    unwritten: makerFor('unwritten'),
  } satisfies Record<UnavailableReason, unknown>;
  return (reason, requestId) => {
    const answer = answers[reason](requestId);
    answer.headers.set('retry-after', retryAfter(retryAfterS)['retry-after']);
    return answer;
  };
}
