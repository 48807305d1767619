// routes.ts -- What operators watch and recover with: load, the audit of a coupon, dead letters. Nothing here is on a user's way.

import { type Static, Type } from '@sinclair/typebox';
import { type Authority, operatorOf, operatorsWith } from '../auth/authority.ts';
import { CouponId, couponIdParameter } from '../coupon/ids.ts';
import { formatInstant } from '../http/instant.ts';
import { problem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import { type Audit, AuditAnswer, count, countOrNull } from './audit.ts';
import type { DeadLetters, DeadLetterView } from './dead-letters.ts';

export interface OperationsDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  /** null: no such coupon */
  readonly audit: (couponId: number) => Promise<Audit | null>;
  readonly deadLetters: Pick<DeadLetters, 'list' | 'read' | 'replay' | 'discard'>;
  readonly load: () => Promise<Load>;
}

/** Dead letters in one answer; there is more wrong than an answer can say when there are so many. */
const LETTERS_MAX = 100;

const auditExample: Audit = {
  couponId: 1,
  stockHome: 'redis',
  totalQuantity: 1000,
  archived: false,
  issuedQuantity: 36,
  rows: 36,
  owners: 37,
  next: 38,
  unpersisted: 1,
  dead: 0,
  missing: 0,
  unknown: 0,
  unexpected: 0,
  outsidePeriod: 0,
  withheld: 0,
  lost: 0,
};

const DeadLetterAnswer = Type.Object({
  id: Type.String({ description: 'names it for replaying and discarding' }),
  reason: Type.String({ description: 'why it could not be written as a row' }),
  couponId: Type.Union([CouponId, Type.Null()], { description: 'null when it cannot be decoded' }),
  firstSequence: countOrNull('sequence of its first user'),
  users: count('how many users'),
  accepted: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'when it was accepted; null when this release cannot read it, such as an entry of a later release',
  }),
});

const DeadLetterList = Type.Object(
  {
    deadLetters: Type.Array(DeadLetterAnswer, { description: `the oldest, at most ${LETTERS_MAX}` }),
    more: Type.Boolean({ description: 'whether there are more' }),
  },
  { $id: 'DeadLetterList' },
);

const DeadLetterDetail = Type.Composite(
  [
    DeadLetterAnswer,
    Type.Object({
      entryId: Type.String({ description: 'id that the entry had in the stream' }),
      userIds: Type.Array(Type.String(), {
        description: 'its users, in order of sequence; empty when they cannot be read',
      }),
      fields: Type.Array(Type.Object({ name: Type.String(), value: Type.String() }), {
        description: 'the entry as it stands in Redis',
      }),
    }),
  ],
  { $id: 'DeadLetter' },
);

const letterId = '0-1795381837810-0';
const ofLetter = { id: { schema: Type.String({ description: 'id of the dead letter' }), example: letterId } };

const LoadAnswer = Type.Object(
  {
    process: Type.String({ description: 'which process answered; counts of two processes must not be subtracted' }),
    uptimeMs: count('milliseconds since it started'),
    accepted: count('requests to the issue endpoints that got a coupon, since the process started'),
    refused: count('requests that were refused'),
    failed: count('requests without a decision'),
    unpersisted: count('accepted users who are not yet rows, over all coupons'),
    oldestMs: count('age in milliseconds of the oldest of them; 0 without one'),
    deadLetters: count('entries among the dead letters'),
  },
  { $id: 'Load' },
);

/** Counts since the process started. Rates are the reader's to make, from two of them. */
export type Load = Readonly<Static<typeof LoadAnswer>>;

const loadExample: Load = {
  process: '6f1d0c52',
  uptimeMs: 86_400_000,
  accepted: 1000,
  refused: 48_211,
  failed: 0,
  unpersisted: 2,
  oldestMs: 14,
  deadLetters: 0,
};

/** `GET /v1/coupons/:couponId/audit`, `/v1/dead-letters` and `/v1/load`. */
export function operationsRoutes(dependencies: OperationsDependencies) {
  return [
    auditRoute(dependencies),
    listRoute(dependencies),
    readRoute(dependencies),
    replayRoute(dependencies),
    discardRoute(dependencies),
    loadRoute(dependencies),
  ] as const;
}

function auditRoute({ authority, audit }: OperationsDependencies) {
  return route(
    'GET',
    '/v1/coupons/:couponId/audit',
    {
      operationId: 'auditCoupon',
      tag: 'operators',
      summary: 'Audit a coupon against the promises',
      description: `Compares the issues in Redis with the stream, the dead letters and the rows in MySQL, sequence by sequence. It is exact
also while the coupon is being issued. It reads all rows of the coupon.`,
      access: operatorsWith(authority, 'read'),
      params: { couponId: couponIdParameter },
      answers: { 200: { description: 'The counts.', schema: AuditAnswer, example: auditExample } },
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params }) => {
      const counted = await audit(params.couponId);
      return counted ? { body: counted } : problem('COUPON_NOT_EXIST');
    },
  );
}

function listRoute({ authority, deadLetters }: OperationsDependencies) {
  const example = { id: letterId, reason: 'no such coupon', couponId: 4, firstSequence: 12, users: 3 };
  return route(
    'GET',
    '/v1/dead-letters',
    {
      operationId: 'listDeadLetters',
      tag: 'operators',
      summary: 'List dead letters',
      description:
        'Accepted issues that could not become rows, with the reason, oldest first. They stay until an operator replays or discards them.',
      access: operatorsWith(authority, 'admin'),
      answers: {
        200: {
          description: 'The dead letters.',
          schema: DeadLetterList,
          example: { deadLetters: [{ ...example, accepted: '2026-11-22T20:55:00.123Z' }], more: false },
        },
      },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async () => {
      const shown: ReturnType<typeof toAnswer>[] = [];
      for await (const letter of deadLetters.list()) {
        if (shown.length === LETTERS_MAX) return { body: { deadLetters: shown, more: true } };
        shown.push(toAnswer(letter));
      }
      return { body: { deadLetters: shown, more: false } };
    },
  );
}

/** Without the users, of whom there may be very many: `readRoute` has those of one letter. */
function toAnswer({ id, reason, entry, allocation }: DeadLetterView) {
  const held = entry ?? allocation;
  return {
    id,
    reason,
    couponId: held?.couponId ?? null,
    firstSequence: held?.firstSequence ?? null,
    users: held?.users.length ?? 0,
    accepted: entry ? formatInstant(entry.acceptedMs) : null,
  };
}

function readRoute({ authority, deadLetters }: OperationsDependencies) {
  const example: Static<typeof DeadLetterDetail> = {
    id: letterId,
    reason: 'no such coupon',
    couponId: 4,
    firstSequence: 12,
    users: 2,
    accepted: '2026-11-22T20:55:00.123Z',
    entryId: '1795381837810-0',
    userIds: ['kim', 'lee'],
    fields: [
      { name: 'v', value: '1' },
      { name: 'users', value: 'kim,lee' },
    ],
  };
  return route(
    'GET',
    '/v1/dead-letters/:id',
    {
      operationId: 'readDeadLetter',
      tag: 'operators',
      summary: 'Read a dead letter',
      description: 'With its users, and the entry as it stands in Redis.',
      access: operatorsWith(authority, 'admin'),
      params: ofLetter,
      answers: { 200: { description: 'The dead letter.', schema: DeadLetterDetail, example } },
      problems: ['DEAD_LETTER_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params }) => {
      const letter = await deadLetters.read(params.id);
      if (!letter) return problem('DEAD_LETTER_NOT_EXIST');
      const { entryId, fields, entry, allocation } = letter;
      const userIds = [...((entry ?? allocation)?.users ?? [])];
      return { body: { ...toAnswer(letter), entryId, userIds, fields: [...fields] } };
    },
  );
}

function replayRoute({ authority, deadLetters }: OperationsDependencies) {
  return route(
    'POST',
    '/v1/dead-letters/:id/replay',
    {
      operationId: 'replayDeadLetter',
      tag: 'operators',
      summary: 'Replay a dead letter',
      description: 'Puts it back into the stream. The worker writes it, with its sequence if that is still free.',
      access: operatorsWith(authority, 'admin'),
      params: ofLetter,
      answers: { 204: { description: 'It is in the stream again.' } },
      problems: ['DEAD_LETTER_NOT_EXIST', 'DEAD_LETTER_UNREADABLE', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params }) => {
      const result = await deadLetters.replay(params.id, operatorOf(request));
      if (result === 'gone') return problem('DEAD_LETTER_NOT_EXIST');
      return result === 'unreadable' ? problem('DEAD_LETTER_UNREADABLE') : {};
    },
  );
}

function discardRoute({ authority, deadLetters }: OperationsDependencies) {
  return route(
    'DELETE',
    '/v1/dead-letters/:id',
    {
      operationId: 'discardDeadLetter',
      tag: 'operators',
      summary: 'Discard a dead letter',
      description: 'Deletes it permanently: its users lose the coupon, and its pieces return to the stock.',
      access: operatorsWith(authority, 'admin'),
      params: ofLetter,
      answers: { 204: { description: 'Deleted.' } },
      problems: ['DEAD_LETTER_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params }) =>
      (await deadLetters.discard(params.id, operatorOf(request))) ? {} : problem('DEAD_LETTER_NOT_EXIST'),
  );
}

function loadRoute({ authority, load }: OperationsDependencies) {
  return route(
    'GET',
    '/v1/load',
    {
      operationId: 'readLoad',
      tag: 'operators',
      summary: 'Load of this process, and persistence lag of MySQL',
      description: 'Counts since the process started. To get a rate, subtract two answers of the same process.',
      access: operatorsWith(authority, 'read'),
      answers: { 200: { description: 'The counts.', schema: LoadAnswer, example: loadExample } },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async () => ({ body: await load() }),
  );
}
