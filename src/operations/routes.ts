// routes.ts -- What operators recover with: the audit of a coupon, and the dead letters. Nothing here is on a user's way.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { CouponId, readCouponId } from '../coupon/ids.ts';
import type { Authority } from '../auth/authority.ts';
import { operation } from '../http/openapi.ts';
import { formatInstant } from '../http/instant.ts';
import { invalid, problem } from '../http/problem.ts';
import type { Audit } from './audit.ts';
import type { DeadLetters, DeadLetterView } from './dead-letters.ts';

export interface RecoveryDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  /** null: no such coupon */
  readonly audit: (couponId: number) => Promise<Audit | null>;
  readonly deadLetters: Pick<DeadLetters, 'list' | 'replay' | 'discard'>;
}

/** Dead letters in one answer; there is more wrong than an answer can say when there are so many. */
const LETTERS_MAX = 100;

const count = (description: string) => Type.Integer({ minimum: 0, description });
const countOrNull = (description: string) => Type.Union([count(description), Type.Null()], { description });

/** The audit as it is answered; see `Audit`. */
export const AuditAnswer = Type.Object({
  couponId: CouponId,
  stockHome: Type.Union([Type.Literal('mysql'), Type.Literal('redis')], { description: 'who gives the stock out' }),
  totalQuantity: countOrNull('how many there may be; null for no limit'),
  issuedQuantity: count('the counter beside the rows'),
  rows: count('rows in MySQL'),
  owners: countOrNull('owners in Redis; null while it is not open there'),
  next: countOrNull('the sequence that Redis gives next; null while it is not open there'),
  unpersisted: count('users in the stream, not yet rows'),
  dead: count('users among the dead letters'),
  missing: count('P3: issues that Redis gave and that are nowhere; must be 0'),
  unknown: count('P2: issues that Redis does not know of; must be 0'),
  unexpected: count('P1: rows above the total, or not in the counter; must be 0'),
  outsidePeriod: count('P5: rows issued outside the period as it is now; must be 0 unless the period was edited'),
});

const DeadLetterAnswer = Type.Object({
  id: Type.String({ description: 'names it for replaying and discarding' }),
  reason: Type.String({ description: 'why it could not be a row' }),
  couponId: Type.Union([CouponId, Type.Null()], { description: 'null when it cannot be understood' }),
  firstSequence: countOrNull('sequence of its first user'),
  users: count('how many users'),
  accepted: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description: 'when it was accepted' }),
});

export const DeadLetterList = Type.Object({
  deadLetters: Type.Array(DeadLetterAnswer, { description: `the oldest, at most ${LETTERS_MAX}` }),
  more: Type.Boolean({ description: 'whether there are more' }),
});

/** The schemas by the names that the document gives them. */
export const recoverySchemas = { Audit: AuditAnswer, DeadLetterList };

/** `GET /v1/coupons/:id/audit` and `/v1/dead-letters`. */
export function recoveryRoutes({ authority, audit, deadLetters }: RecoveryDependencies) {
  const refuse = authority.guard('admin');
  const refuseReader = authority.guard('read');
  return new Elysia({ name: 'recovery' })
    .get('/v1/coupons/:id/audit', ({ request, params }) => refuseReader(request) ?? answerAudit(audit, params.id), {
      detail: auditOperation,
    })
    .get('/v1/dead-letters', ({ request }) => refuse(request) ?? answerList(deadLetters), { detail: listOperation })
    .post(
      '/v1/dead-letters/:id/replay',
      ({ request, params }) => refuse(request) ?? answerReplay(deadLetters, params.id),
      {
        parse: 'none',
        detail: replayOperation,
      },
    )
    .delete('/v1/dead-letters/:id', ({ request, params }) => refuse(request) ?? answerDiscard(deadLetters, params.id), {
      parse: 'none',
      detail: discardOperation,
    });
}

async function answerAudit(audit: RecoveryDependencies['audit'], idText: string): Promise<Response> {
  const id = readCouponId(idText);
  if (typeof id === 'object') return invalid([id]);
  const counted = await audit(id);
  return counted ? Response.json(counted, { headers: noStore }) : problem('COUPON_NOT_EXIST');
}

async function answerList(letters: RecoveryDependencies['deadLetters']): Promise<Response> {
  const deadLetters: unknown[] = [];
  for await (const letter of letters.list()) {
    if (deadLetters.length === LETTERS_MAX) return Response.json({ deadLetters, more: true }, { headers: noStore });
    deadLetters.push(toAnswer(letter));
  }
  return Response.json({ deadLetters, more: false }, { headers: noStore });
}

/** Without the users: `bun run dead-letters show` has them. */
function toAnswer({ id, reason, entry }: DeadLetterView) {
  return {
    id,
    reason,
    couponId: entry?.couponId ?? null,
    firstSequence: entry?.firstSequence ?? null,
    users: entry?.users.length ?? 0,
    accepted: entry ? formatInstant(entry.acceptedMs) : null,
  };
}

async function answerReplay(letters: RecoveryDependencies['deadLetters'], id: string): Promise<Response> {
  const result = await letters.replay(id);
  if (result === 'gone') return problem('DEAD_LETTER_NOT_EXIST');
  return result === 'unreadable' ? problem('DEAD_LETTER_UNREADABLE') : new Response(null, { status: 204 });
}

async function answerDiscard(letters: RecoveryDependencies['deadLetters'], id: string): Promise<Response> {
  return (await letters.discard(id)) ? new Response(null, { status: 204 }) : problem('DEAD_LETTER_NOT_EXIST');
}

/** They change within milliseconds. */
const noStore = { 'cache-control': 'no-store' };

const operatorProblems = ['UNAUTHENTICATED', 'FORBIDDEN', 'FAIL_COUPON_ISSUE_REQUEST'] as const;

const letterParameter = {
  name: 'id',
  in: 'path',
  schema: Type.String({ description: 'id of the dead letter' }),
  example: '0-1795381837810-0',
} as const;

const auditOperation = operation({
  operationId: 'auditCoupon',
  tag: 'operators',
  operator: true,
  summary: 'Count the promises of a coupon',
  description: `Compares what Redis says was issued with what is in the stream, among the dead letters and in MySQL, to the last
sequence. Exact also while the coupon is being issued. It reads all rows of the coupon.`,
  parameters: [{ name: 'id', in: 'path', schema: CouponId, example: 1 }],
  answers: {
    200: {
      description: 'The counts.',
      schema: 'Audit',
      example: {
        couponId: 1,
        stockHome: 'redis',
        totalQuantity: 1000,
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
      },
    },
  },
  problems: [...operatorProblems, 'COUPON_NOT_EXIST', 'INVALID_REQUEST'],
});

const listOperation = operation({
  operationId: 'listDeadLetters',
  tag: 'operators',
  operator: true,
  summary: 'List dead letters',
  description:
    'Accepted issues that could not become rows, with the reason, oldest first. Nothing happens to them by itself.',
  answers: {
    200: {
      description: 'The dead letters.',
      schema: 'DeadLetterList',
      example: {
        deadLetters: [
          {
            id: '0-1795381837810-0',
            reason: 'no such coupon',
            couponId: 4,
            firstSequence: 12,
            users: 3,
            accepted: '2026-11-22T20:55:00.123Z',
          },
        ],
        more: false,
      },
    },
  },
  problems: operatorProblems,
});

const replayOperation = operation({
  operationId: 'replayDeadLetter',
  tag: 'operators',
  operator: true,
  summary: 'Replay a dead letter',
  description: 'Puts it back into the stream. The worker writes it, under its sequence if that is still free.',
  parameters: [letterParameter],
  answers: { 204: { description: 'It is in the stream again.' } },
  problems: [...operatorProblems, 'DEAD_LETTER_NOT_EXIST', 'DEAD_LETTER_UNREADABLE'],
});

const discardOperation = operation({
  operationId: 'discardDeadLetter',
  tag: 'operators',
  operator: true,
  summary: 'Discard a dead letter',
  description: 'Deletes it for good: the promise to its users is given up, and its pieces are stock again.',
  parameters: [letterParameter],
  answers: { 204: { description: 'Deleted.' } },
  problems: [...operatorProblems, 'DEAD_LETTER_NOT_EXIST'],
});
