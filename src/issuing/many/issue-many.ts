// issue-many.ts -- Issues a coupon to many users in one request, for backends: through the combiner and the issuer of `POST /v2/issue-async`.
//
// Each user is a request of its own but for HTTP: the same rules, limits and idempotency keys, and an outcome of its own, in the order
// of the users. Batches have their bounds, so that users of one request may be decided in several, of which one may fail.

import { type Static, Type } from '@sinclair/typebox';
import { type Authority, keyOf, operatorsWith } from '../../auth/authority.ts';
import { CouponId, couponIdParameter, SentUserId, UserId } from '../../coupon/ids.ts';
import { type Outcome, Unavailable, type UnavailableReason } from '../../coupon/outcome.ts';
import { problem, retryAfter } from '../../http/problem.ts';
import { type ProblemCode, problems } from '../../http/document/problems.ts';
import { addressOf } from '../../http/rate-limit/address.ts';
import { type Limiter, tooMany } from '../../http/rate-limit/limiter.ts';
import { idsOf } from '../../http/request-log/request-ids.ts';
import { noteOf, type RequestNote } from '../../http/request-log/request-notes.ts';
import { route } from '../../http/route.ts';
import {
  type EndpointDependencies,
  IdempotencyKey,
  logStoreFailure,
  readKey,
  refusalProblems,
  type RequestResult,
  unavailableDetails,
} from '../endpoint.ts';
import type { KeyedOutcome } from '../idempotency.ts';

export interface ManyDependencies extends Omit<EndpointDependencies, 'authority' | 'isHuman'> {
  readonly authority: Pick<Authority, 'guard' | 'isOn'>;
  /** null: addresses are not limited. */
  readonly addressLimiter: Pick<Limiter, 'take'> | null;
}

/** Users in a request. */
export const USERS_MAX = 1000;
/** Users under an idempotency key whose earlier answers are looked for at the same time: each takes a connection that others wait for. */
const KEYED_MAX = 20;
/** Bytes of a request: so many users with ids of the greatest length. */
const BODY_BYTES_MAX = 320 * 1024;

const IssueManyRequest = Type.Object(
  {
    users: Type.Array(SentUserId, {
      minItems: 1,
      maxItems: USERS_MAX,
      description: `1 to ${USERS_MAX} ids of users, each as in the body of the other issue endpoints`,
    }),
  },
  { $id: 'IssueManyRequest', additionalProperties: false },
);

const codes = [
  'DUPLICATED_COUPON_ISSUE',
  'INVALID_COUPON_ISSUE_DATE',
  'INVALID_COUPON_ISSUE_QUANTITY',
  'COUPON_NOT_EXIST',
  'TOO_MANY_REQUESTS',
  'IDEMPOTENCY_KEY_REUSED',
  'FAIL_COUPON_ISSUE_REQUEST',
  'INTERNAL',
] as const satisfies readonly ProblemCode[];

const UserOutcome = Type.Object(
  {
    userId: UserId,
    status: Type.Optional(
      Type.String({
        enum: ['ACCEPTED'],
        description: 'Durable in Redis, and soon a row. Missing if there is a `code`.',
      }),
    ),
    sequence: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Number of the issue that the user has now, or had before.' }),
    ),
    replayed: Type.Optional(
      Type.Boolean({ description: '`true` when an earlier request under the same `Idempotency-Key` made this issue.' }),
    ),
    code: Type.Optional(
      Type.String({
        enum: [...codes],
        description:
          'The problem code, as the other issue endpoints answer it. After `FAIL_COUPON_ISSUE_REQUEST` and `INTERNAL`, retry to find out.',
      }),
    ),
    detail: Type.Optional(Type.String({ description: 'What the code does not say by itself.' })),
  },
  { $id: 'UserOutcome' },
);

const IssueManyAnswer = Type.Object(
  { couponId: CouponId, outcomes: Type.Array(UserOutcome, { description: 'one for each user, in their order' }) },
  { $id: 'IssueManyAnswer' },
);

/** `POST /v1/coupons/:couponId/issues`. */
export function issueManyRoute(dependencies: ManyDependencies) {
  const { authority, addressLimiter, config, log } = dependencies;
  return route(
    'POST',
    '/v1/coupons/:couponId/issues',
    {
      operationId: 'issueToMany',
      tag: 'issuing',
      summary: 'Accept many users at once, for backends',
      description: `Up to ${USERS_MAX} users, each handled like a request to \`POST /v2/issue-async\`, at a fraction of the cost: 200 with
one outcome per user in the same order, with a code for each refusal. A user who appears twice is issued once. If the result is ambiguous for some users,
these have \`FAIL_COUPON_ISSUE_REQUEST\`; if it is ambiguous for all, the answer is 503. Limits count users, not requests.`,
      // Also where users need not authenticate: nobody else answers for other users.
      access: { ...operatorsWith(authority, 'issue'), callers: [authority.isOn ? 'backend' : 'operator'] },
      params: { couponId: couponIdParameter },
      headers: { 'Idempotency-Key': idempotencyKey },
      body: { schema: IssueManyRequest, bytesMax: BODY_BYTES_MAX, examples: { users: exampleRequest } },
      answers: { 200: { description: 'An outcome for each user.', schema: IssueManyAnswer, example: exampleAnswer } },
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params: { couponId }, headers, body }) => {
      const users = body.users.map(String);
      const address = addressOf(request);
      // The request itself is counted, as any other.
      if (addressLimiter && address !== null && users.length > 1) {
        const allowance = addressLimiter.take(address, users.length - 1);
        if (allowance.isRefused) return tooMany('address', allowance);
      }
      const key = headers['Idempotency-Key'];
      const first: Asked = { request, couponId, key, note: noteOf(request), startMs: performance.now() };
      // One of its users tells how long the request waited, and is linked to its batch.
      const others = { ...first, note: undefined };
      const decided = await forEach(users, key === null ? users.length : KEYED_MAX, (userId, i) =>
        decide(dependencies, i === 0 ? first : others, userId),
      );
      const failure = decided.find(
        ({ failure: each }) => each !== undefined && !(each instanceof Unavailable),
      )?.failure;
      if (failure !== undefined) log.error({ ...idsOf(request), error: failure }, 'some users of a request failed');
      if (decided.every(({ result }) => result === 'not exist')) return problem('COUPON_NOT_EXIST');
      if (decided.every((each) => each.failure instanceof Unavailable)) {
        const detail = decided[0]?.shown.detail;
        return problem('FAIL_COUPON_ISSUE_REQUEST', detail, {}, retryAfter(config.RETRY_AFTER_S));
      }
      return { body: { couponId, outcomes: decided.map((each) => each.shown) } };
    },
  );
}

/** null: none was sent. */
const idempotencyKey = {
  schema: IdempotencyKey,
  read: (text: string | null): string | null | undefined => (text === null ? null : (readKey(text) ?? undefined)),
};

const exampleRequest = { summary: 'Coupon 1 for two users', value: { users: ['kim', 'lee'] } };
const exampleAnswer = {
  couponId: 1,
  outcomes: [
    { userId: 'kim', status: 'ACCEPTED', sequence: 37 },
    { userId: 'lee', code: 'DUPLICATED_COUPON_ISSUE', sequence: 12 },
  ],
};

/** The results in order; at most `most` are under way. */
async function forEach<Item, Result>(
  items: readonly Item[],
  most: number,
  work: (item: Item, at: number) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = items.entries();
  const run = async () => {
    for (const [at, item] of waiting) results[at] = await work(item, at);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, run));
  return results;
}

interface Asked {
  readonly request: Request;
  readonly couponId: number;
  readonly key: string | null;
  readonly note: RequestNote | undefined;
  readonly startMs: number;
}

interface Decided {
  readonly result: RequestResult;
  readonly shown: Static<typeof UserOutcome>;
  /** Why there is no outcome. */
  readonly failure?: unknown;
}

/** Decides for one user, and observes it as a request of the endpoint whose issuer it is. Never rejects. */
async function decide(dependencies: ManyDependencies, asked: Asked, userId: string): Promise<Decided> {
  const decided = await decideUser(dependencies, asked, userId).catch((failure: unknown) =>
    failed(failure, asked, userId, dependencies),
  );
  dependencies.metrics.observeRequest('scripted', decided.result, (performance.now() - asked.startMs) / 1000);
  return decided;
}

async function decideUser(
  { userLimiter, issuance, issueOnce }: ManyDependencies,
  { request, couponId, key, note }: Asked,
  userId: string,
): Promise<Decided> {
  if (userLimiter?.take(userId).isRefused)
    return refusedAs('limited', userId, 'TOO_MANY_REQUESTS', 'This user asks too often. Nothing was decided.');
  if (key === null) return shown(await issuance.issue('scripted', couponId, userId, note), userId, false);
  const keyDigest = keyOf(request).digest;
  const keyed = await issueOnce({ key, keyDigest, issuer: 'scripted', couponId, userId, note });
  return keyed.kind === 'decided' ? shown(keyed.outcome, userId, keyed.replayed) : undecided[keyed.kind](userId);
}

function shown(outcome: Outcome, userId: string, replayed: boolean): Decided {
  if (outcome.kind === 'issued') {
    const { sequence } = outcome;
    const result = replayed ? 'already issued' : outcome.kind;
    return { result, shown: { userId, status: 'ACCEPTED', sequence, ...(replayed && { replayed }) } };
  }
  if (outcome.kind === 'already issued')
    return { result: outcome.kind, shown: { userId, code: 'DUPLICATED_COUPON_ISSUE', sequence: outcome.sequence } };
  const { code, detail } = refusalProblems[outcome.kind];
  return refusedAs(outcome.kind, userId, code, detail);
}

function refusedAs(result: RequestResult, userId: string, code: (typeof codes)[number], detail?: string): Decided {
  return { result, shown: { userId, code, ...(detail !== undefined && { detail }) } };
}

const undecided = {
  'other request': (userId) => refusedAs('invalid', userId, 'IDEMPOTENCY_KEY_REUSED'),
  'too many of caller': (userId) =>
    refusedAs(
      'limited',
      userId,
      'TOO_MANY_REQUESTS',
      'This caller has too many stored idempotency keys. Nothing was decided.',
    ),
  'too many': (userId) =>
    refusedAs(
      'overloaded',
      userId,
      'FAIL_COUPON_ISSUE_REQUEST',
      'Too many idempotency keys are stored. Nothing was decided.',
    ),
} as const satisfies Record<Exclude<KeyedOutcome['kind'], 'decided'>, (userId: string) => Decided>;

function failed(failure: unknown, { request, key }: Asked, userId: string, { log }: ManyDependencies): Decided {
  if (!(failure instanceof Unavailable))
    return { ...refusedAs('failed', userId, 'INTERNAL', problems.INTERNAL.when), failure };
  // Without a key, its batch was logged.
  if (key !== null) logStoreFailure(log, request, failure);
  const { reason }: { readonly reason: UnavailableReason } = failure;
  const result = reason === 'unwritten' ? 'failed' : reason;
  return { ...refusedAs(result, userId, 'FAIL_COUPON_ISSUE_REQUEST', unavailableDetails[reason]), failure };
}
