// routes.ts -- The three issue endpoints, from the body of a request to the text of its answer; and the routes of issues after them.
//
// The three are the hot path. They use no hooks, read and check the body themselves, and answer from prebuilt parts, so that
// they cost about what a route costs that only validates the same body.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { CouponId, SentUserId, UserId } from '../coupon/ids.ts';
import { type Authority, userMismatch } from '../auth/authority.ts';
import type { Scope } from '../auth/api-keys.ts';
import type { Caller } from '../auth/tokens.ts';
import { bodyReader } from '../http/body.ts';
import { type Operation, operation } from '../http/openapi.ts';
import { shouldSendHeaders, type Limiter, setRateLimitHeaders, tooMany } from '../http/rate-limit/limiter.ts';
import { invalid, type ProblemCode, problem, problemInit, problemText } from '../http/problem.ts';
import { NO_SNIFFING, sealedJson } from '../http/sealed.ts';
import type { IssueOnce, KeyedOutcome } from './idempotency.ts';
import {
  answerEvents,
  answerList,
  answerStatus,
  answerUse,
  eventsOperation,
  type IssuesDependencies,
  issuesSchemas,
  listOperation,
  statusOperation,
  useOperation,
} from '../issues/routes.ts';
import type { IssuerName } from './issuer.ts';
import { type Outcome, type Refusal, Unavailable, type UnavailableReason } from '../coupon/outcome.ts';

/** How a request ended, for metrics: an outcome, or why there is none. */
export type RequestResult =
  | Outcome['kind']
  | UnavailableReason
  | 'invalid'
  | 'failed'
  | 'unauthenticated'
  | 'forbidden'
  | 'limited';

export interface IssuingDependencies extends IssuesDependencies {
  readonly config: { readonly BODY_BYTES_MAX: number; readonly RETRY_AFTER_S: number };
  readonly authority: Pick<Authority, 'isOn' | 'admit'>;
  /** null: users are not limited. */
  readonly userLimiter: Pick<Limiter, 'take'> | null;
  /** null: nobody is asked to prove to be a person. Gives null, or the answer that refuses. */
  readonly isHuman: ((request: Request, userId: string) => Promise<Response | null>) | null;
  readonly issuance: {
    /** @throws Unavailable when it was not decided, or nobody knows */
    issue(issuer: IssuerName, couponId: number, userId: string): Outcome | Promise<Outcome>;
  };
  /** The same under an `Idempotency-Key`. */
  readonly issueOnce: IssueOnce;
  readonly metrics: {
    /** Called once for each request of an issue endpoint, just before its answer is sent. */
    readonly observeRequest: (endpoint: IssuerName, ending: RequestResult, seconds: number) => void;
  };
}

/** Body of the three issue endpoints. */
export const IssueRequest = Type.Object({ couponId: CouponId, userId: SentUserId }, { additionalProperties: false });

const Sequence = Type.Integer({ minimum: 1, description: 'Number of the issue within its coupon, from 1.' });

/** Answer of the three issue endpoints. */
export const Issue = Type.Object({
  couponId: CouponId,
  userId: UserId,
  sequence: Sequence,
  status: Type.Union([Type.Literal('ISSUED'), Type.Literal('ACCEPTED')], {
    description: '`ISSUED`: a row in MySQL. `ACCEPTED`: durable in Redis, and soon a row.',
  }),
});

/** The schemas by the names that the document gives them. */
export const issueSchemas = { IssueRequest, Issue, ...issuesSchemas };

/** The endpoints under `/v1/issue`, `/v1/issue-async`, `/v2/issue-async` and the status of an issue. */
export function issueRoutes(dependencies: IssuingDependencies) {
  const { isOn } = dependencies.authority;
  const ofUser = userGate(dependencies);
  const operationOf = (route: Operation) => operation({ ...route, ...(isOn && { callers: ['user', 'backend'] }) });
  const synchronous = issueEndpoint('synchronous', 201, 'ISSUED', dependencies);
  const locked = issueEndpoint('locked', 202, 'ACCEPTED', dependencies);
  const scripted = issueEndpoint('scripted', 202, 'ACCEPTED', dependencies);
  // `parse: 'none'`: the endpoints read the body themselves, within its limit. Only `request` is taken from the context,
  // since Elysia prepares what a handler's source text mentions.
  return new Elysia({ name: 'issuance' })
    .post('/v1/issue', ({ request }) => synchronous(request), {
      parse: 'none',
      detail: operationOf(synchronousOperation),
    })
    .post('/v1/issue-async', ({ request }) => locked(request), { parse: 'none', detail: operationOf(lockedOperation) })
    .post('/v2/issue-async', ({ request }) => scripted(request), {
      parse: 'none',
      detail: operationOf(scriptedOperation),
    })
    .get(
      '/v1/coupons/:id/issues/:userId',
      ({ request, params }) =>
        ofUser(request, params.userId, 'read', () => answerStatus(dependencies, request, params.id, params.userId)),
      { detail: operation({ ...statusOperation, ...(isOn && { callers: ['user', 'operator'] }) }) },
    )
    .post(
      '/v1/coupons/:id/issues/:userId/use',
      ({ request, params }) =>
        ofUser(request, params.userId, 'issue', () => answerUse(dependencies, params.id, params.userId)),
      { parse: 'none', detail: operationOf(useOperation) },
    )
    .get('/v1/coupons/:id/events', ({ request, params }) => answerEvents(dependencies, request, params.id), {
      detail: eventsOperation,
    })
    .get(
      '/v1/users/:userId/issues',
      ({ request, params }) =>
        ofUser(request, params.userId, 'read', () => answerList(dependencies, request, params.userId)),
      { detail: operation({ ...listOperation, ...(isOn && { callers: ['user', 'operator'] }) }) },
    );
}

function issueEndpoint(
  endpoint: IssuerName,
  status: 201 | 202,
  word: 'ISSUED' | 'ACCEPTED',
  dependencies: IssuingDependencies,
): (request: Request) => Promise<Response> {
  const { config, authority, userLimiter, isHuman, metrics } = dependencies;
  const readBody = bodyReader(IssueRequest, config.BODY_BYTES_MAX);
  const decide = decider(endpoint, status, word, dependencies);
  const refused = (ending: RequestResult, startMs: number, answer: Response) => {
    metrics.observeRequest(endpoint, ending, (performance.now() - startMs) / 1000);
    return answer;
  };
  return async (request) => {
    const startMs = performance.now();
    // Waited for only where it must be: whoever is known goes on at once.
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
      const answer = await isHuman(request, userId);
      if (answer !== null) return refused(resultOf(answer), startMs, answer);
    }
    const decided = decide(request, body.couponId, userId, startMs);
    const answer = decided instanceof Promise ? await decided : decided;
    return allowance === null || !shouldSendHeaders(allowance) ? answer : setRateLimitHeaders(answer, allowance);
  };
}

/**
 * Makes what stands before every route about one user: whoever may not ask learns nothing, since nothing is looked up for them.
 * `userId` is the text of the path, null where it cannot be decoded.
 */
function userGate({ authority }: Pick<IssuingDependencies, 'authority'>) {
  return async (request: Request, userId: string | null, scope: Scope, answer: () => Promise<Response>) => {
    const caller = await authority.admit(request, scope);
    if (caller instanceof Response) return caller;
    return mayActFor(caller, userId) ? answer() : userMismatch();
  };
}

function mayActFor(caller: Caller, userId: string | null): boolean {
  return caller.userId === null || caller.userId === userId;
}

/** How a request ended that somebody refused before it was decided. */
function resultOf({ status }: Response): RequestResult {
  return status === 401 ? 'unauthenticated' : status === 403 ? 'forbidden' : 'dependency';
}

/** Makes the way from an admitted request to its answer. */
function decider(
  endpoint: IssuerName,
  status: 201 | 202,
  word: 'ISSUED' | 'ACCEPTED',
  { config, issuance, issueOnce, metrics }: IssuingDependencies,
): (request: Request, couponId: number, userId: string, startMs: number) => Response | Promise<Response> {
  const unavailable = unavailableAnswers(config.RETRY_AFTER_S);
  const observe = (ending: RequestResult, startMs: number) =>
    metrics.observeRequest(endpoint, ending, (performance.now() - startMs) / 1000);
  const fail = (cause: unknown, startMs: number): Response => {
    // Answered here and not in the app's `onError`: under overload this is the common answer, and must stay cheap. Who
    // threw it has logged why, once for the whole batch.
    observe(cause instanceof Unavailable ? cause.reason : 'failed', startMs);
    if (cause instanceof Unavailable) return unavailable(cause.reason);
    throw cause;
  };
  const tell = (outcome: Outcome, couponId: number, userId: string, startMs: number, replayed: boolean): Response => {
    observe(replayed ? 'already issued' : outcome.kind, startMs);
    if (outcome.kind !== 'issued') return refuse(outcome);
    const text = `{"couponId":${couponId},"userId":"${userId}","sequence":${outcome.sequence},"status":"${word}"}`;
    const location = `/v1/coupons/${couponId}/issues/${userId}`;
    const headers = { 'content-type': 'application/json', [NO_SNIFFING]: 'nosniff', location };
    return sealedJson(text, { status, headers: replayed ? { ...headers, 'idempotency-replayed': 'true' } : headers });
  };
  return (request, couponId, userId, startMs) => {
    const header = request.headers.get('idempotency-key');
    const failed = (cause: unknown) => fail(cause, startMs);
    if (header !== null) {
      return issueUnderKey(issueOnce, header, endpoint, couponId, userId).then((keyed) => {
        if (!(keyed instanceof Response)) return tell(keyed.outcome, couponId, userId, startMs, keyed.replayed);
        observe('invalid', startMs);
        return keyed;
      }, failed);
    }
    const decided = issuance.issue(endpoint, couponId, userId);
    // A closed sign refuses at once, and a rush hears hardly anything else.
    if (!(decided instanceof Promise)) return tell(decided, couponId, userId, startMs, false);
    return decided.then((outcome) => tell(outcome, couponId, userId, startMs, false), failed);
  };
}

/** Decides under an `Idempotency-Key`, or tells what is wrong with it. */
async function issueUnderKey(
  issueOnce: IssueOnce,
  header: string,
  endpoint: IssuerName,
  couponId: number,
  userId: string,
): Promise<Extract<KeyedOutcome, { kind: 'decided' }> | Response> {
  const key = readKey(header);
  if (key === null) return invalid([{ in: 'header', pointer: '/Idempotency-Key', expected: keyDescription }]);
  const keyed = await issueOnce(key, endpoint, couponId, userId);
  return keyed.kind === 'decided' ? keyed : problem('IDEMPOTENCY_KEY_REUSED');
}

/** The key without its quotes: the draft has them, many clients have not. */
function readKey(header: string): string | null {
  const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"$/.exec(header)?.[1];
  if (quoted !== undefined) return quoted.replaceAll(/\\(.)/g, '$1');
  return /^[\x21\x23-\x7e]{1,255}$/.test(header) ? header : null;
}

const keyDescription = 'a text of 1 to 255 visible ASCII characters, new for each request, such as "8e03978e-40d5"';

function refuse(outcome: Exclude<Outcome, { kind: 'issued' }>): Response {
  if (outcome.kind === 'already issued') {
    return problem('DUPLICATED_COUPON_ISSUE', undefined, { sequence: outcome.sequence });
  }
  const { text, init } = refusals[outcome.kind];
  return sealedJson(text, init);
}

/** Refusals do not differ from one request to the next, and a rush answers millions: each is written once. */
const refusals = {
  'not exist': prebuilt('COUPON_NOT_EXIST'),
  paused: prebuilt('INVALID_COUPON_ISSUE_DATE', 'Issuing of this coupon is paused.'),
  'not started': prebuilt('INVALID_COUPON_ISSUE_DATE', 'Issuing of this coupon has not started.'),
  ended: prebuilt('INVALID_COUPON_ISSUE_DATE', 'Issuing of this coupon has ended.'),
  'sold out': prebuilt('INVALID_COUPON_ISSUE_QUANTITY'),
} satisfies Record<Refusal['kind'], unknown>;

function prebuilt(code: ProblemCode, detail?: string, headers?: Readonly<Record<string, string>>) {
  return { text: problemText(code, detail), init: problemInit(code, { [NO_SNIFFING]: 'nosniff', ...headers }) };
}

/** What a caller is told of why there is no decision, or none that anybody knows of. */
const unavailableDetails = {
  overloaded: 'Too many requests are waiting. Nothing was decided for this one.',
  stopping: 'This server is stopping. Nothing was decided.',
  dependency: 'Redis or MySQL did not respond. The result is unknown; retry to find out.',
} satisfies Record<UnavailableReason, string>;

/** Makes the answers to `Unavailable`: 503 with `Retry-After`. */
export function unavailableAnswers(retryAfterS: number): (reason: UnavailableReason) => Response {
  const headers = { 'retry-after': String(retryAfterS) };
  const answers = {
    overloaded: prebuilt('FAIL_COUPON_ISSUE_REQUEST', unavailableDetails.overloaded, headers),
    stopping: prebuilt('FAIL_COUPON_ISSUE_REQUEST', unavailableDetails.stopping, headers),
    dependency: prebuilt('FAIL_COUPON_ISSUE_REQUEST', unavailableDetails.dependency, headers),
  };
  return (reason) => sealedJson(answers[reason].text, answers[reason].init);
}

/** Another user for each endpoint, so that all three examples issue when they are sent as they stand. */
const bodyOf = (userId: string): NonNullable<Operation['body']> => ({
  schema: 'IssueRequest',
  examples: { user: { summary: `Coupon 1 for ${userId}`, value: { couponId: 1, userId } } },
});

const issueOperation = {
  tag: 'issuing',
  parameters: [
    {
      name: 'Idempotency-Key',
      in: 'header',
      schema: Type.String({ description: keyDescription }),
    },
  ],
  problems: [
    'COUPON_NOT_EXIST',
    'INVALID_COUPON_ISSUE_DATE',
    'DUPLICATED_COUPON_ISSUE',
    'INVALID_COUPON_ISSUE_QUANTITY',
    'FAIL_COUPON_ISSUE_REQUEST',
    'MALFORMED_REQUEST',
    'INVALID_REQUEST',
    'IDEMPOTENCY_KEY_REUSED',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
    'UNAUTHENTICATED',
    'FORBIDDEN',
    'TOO_MANY_REQUESTS',
  ],
} as const;

const orderOfChecks = `
Checks in this order: the coupon exists, it is not paused, now is within its period, the user does not have it, stock is left.`;

const issueLocation = {
  Location: 'Where the status of this issue can be read.',
  'Idempotency-Replayed': '`true` when an earlier request under the same `Idempotency-Key` made this issue.',
};

const synchronousOperation: Operation = {
  operationId: 'issueSynchronously',
  ...issueOperation,
  body: bodyOf('kim'),
  summary: 'Issue synchronously, in MySQL',
  description: `Decides in one MySQL transaction and answers after its commit: a 201 is a row.${orderOfChecks}`,
  answers: {
    201: {
      description: 'Issued: the row is in MySQL.',
      headers: issueLocation,
      schema: 'Issue',
      example: { couponId: 1, userId: '42', sequence: 37, status: 'ISSUED' },
    },
  },
};

const accepted: Operation['answers'] = {
  202: {
    description: 'Accepted: durable in Redis, with its number; a worker soon makes it a row in MySQL.',
    headers: issueLocation,
    schema: 'Issue',
    example: { couponId: 1, userId: '42', sequence: 37, status: 'ACCEPTED' },
  },
};

const lockedOperation: Operation = {
  operationId: 'issueWithLock',
  ...issueOperation,
  body: bodyOf('lee'),
  summary: 'Accept under a distributed lock, in Redis',
  description: `Reads the stock under a Redlock lock, decides, and writes with a fence, so that a lost lock cannot over-issue.${orderOfChecks}`,
  answers: accepted,
};

const scriptedOperation: Operation = {
  operationId: 'issueWithScript',
  ...issueOperation,
  body: bodyOf('park'),
  summary: 'Accept in one script, in Redis',
  description: `Checks, takes stock and queues the issue in one Lua script. The fastest way.${orderOfChecks}`,
  answers: accepted,
};
