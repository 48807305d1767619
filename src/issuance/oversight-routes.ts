// oversight-routes.ts -- How operators look after what was accepted: audit, load, dead letters. Nothing here issues anything.

import { type Static, Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { CouponId, readCouponId } from '../coupon/identifier.ts';
import { bodyReader } from '../http/body.ts';
import { told } from '../http/document.ts';
import { formatInstant } from '../http/instant.ts';
import { operatorGuard } from '../http/operator.ts';
import { invalid, problem } from '../http/problem.ts';
import type { Audit } from './audit.ts';
import type { DeadLetters, DeadLetterView } from './dead-letters.ts';

export interface OversightDependencies {
  readonly config: { readonly ADMIN_API_KEY?: string; readonly BODY_BYTES_MAX: number };
  readonly oversight: {
    /** null: no such coupon */
    audit(couponId: number): Promise<Audit | null>;
    load(): Promise<Load>;
    /** The first `limit` of them, by partition and age. */
    listDeadLetters(limit: number): Promise<readonly DeadLetterView[]>;
    readonly replayDeadLetter: DeadLetters['replay'];
    readonly discardDeadLetter: DeadLetters['discard'];
  };
}

/** How busy one API process is, and how far MySQL is behind. Rates are the reader's to make, from two of them. */
export interface Load {
  /** Which process answered: its counts begin at zero when it starts, so two processes must not be subtracted. */
  readonly process: string;
  readonly uptimeMs: number;
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  readonly unpersisted: number;
  readonly oldestMs: number;
  readonly deadLetters: number;
}

const count = (description: string) => Type.Integer({ minimum: 0, description });
const countOrNull = (description: string) => Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description });

const AuditAnswer = Type.Object({
  couponId: CouponId,
  stockHome: Type.String({ enum: ['mysql', 'redis'] }),
  totalQuantity: countOrNull('null: without limit'),
  issuedQuantity: count('by the counter in MySQL'),
  rows: count('rows in MySQL'),
  owners: countOrNull('users who have it, by Redis; null while it is not open there'),
  next: countOrNull('the next sequence that Redis gives; null while it is not open there'),
  unpersisted: count('accepted and not yet rows'),
  dead: count('users among the dead letters'),
  missing: count('P3: given out by Redis and nowhere to be found; must be 0'),
  unknown: count('P2: there, but unknown to Redis; must be 0'),
  unexpected: count('P1: rows above the total, or not in the counter; must be 0'),
  outsidePeriod: count('P5: issued outside the period as it is now; must be 0 unless the period was edited'),
});

const LoadAnswer = Type.Object({
  process: Type.String({ description: 'which process answered; counts of two processes must not be subtracted' }),
  uptimeMs: count('milliseconds since it started'),
  accepted: count('requests of the issue endpoints that got a coupon, since the start of the process'),
  refused: count('requests that were refused'),
  failed: count('requests without a decision'),
  unpersisted: count('accepted users who are not yet rows, over all coupons'),
  oldestMs: count('age in milliseconds of the oldest of them; 0 without one'),
  deadLetters: count('entries among the dead letters'),
});

const LetterId = Type.String({ pattern: '^\\d{1,4}/\\d{1,20}-\\d{1,20}$', description: 'id of a dead letter' });

const DeadLetterAnswer = Type.Object({
  id: LetterId,
  reason: Type.String({ description: 'why it was not written' }),
  couponId: Type.Union([CouponId, Type.Null()], { description: 'null when the entry cannot be read' }),
  firstSequence: countOrNull('sequence of its first user; null when the entry cannot be read'),
  users: countOrNull('how many users it holds; null when the entry cannot be read'),
  dateAccepted: Type.Union([Type.String(), Type.Null()], { description: 'when it was accepted, in UTC' }),
});

const DeadLetterList = Type.Object({
  deadLetters: Type.Array(Type.Ref('#/components/schemas/DeadLetter'), { description: 'by partition and age' }),
  more: Type.Boolean({ description: 'whether there are more than are listed' }),
});

const ReplayRequest = Type.Object({ id: LetterId }, { additionalProperties: false });

/** The schemas by the names that the document gives them. */
export const oversightSchemas = {
  Audit: AuditAnswer,
  Load: LoadAnswer,
  DeadLetter: DeadLetterAnswer,
  DeadLetterList,
  ReplayRequest,
};

/** Audit, load and dead letters, for operators. */
export function oversightRoutes({ config, oversight }: OversightDependencies) {
  const refuse = operatorGuard(config.ADMIN_API_KEY);
  const readReplay = bodyReader(ReplayRequest, config.BODY_BYTES_MAX);
  return new Elysia({ name: 'oversight' })
    .get('/v1/coupons/:id/audit', ({ request, params }) => refuse(request) ?? answerAudit(oversight, params.id), {
      detail: auditTold,
    })
    .get('/v1/load', ({ request }) => refuse(request) ?? answerLoad(oversight), { detail: loadTold })
    .get('/v1/dead-letters', ({ request }) => refuse(request) ?? answerList(oversight), { detail: listTold })
    .post('/v1/dead-letters/replay', ({ request }) => refuse(request) ?? answerReplay(oversight, request, readReplay), {
      parse: 'none',
      detail: replayTold,
    })
    .delete(
      '/v1/dead-letters/:partition/:entry',
      ({ request, params }) => refuse(request) ?? answerDiscard(oversight, `${params.partition}/${params.entry}`),
      { parse: 'none', detail: discardTold },
    );
}

type Oversight = OversightDependencies['oversight'];

async function answerAudit(oversight: Oversight, idText: string): Promise<Response> {
  const couponId = readCouponId(idText);
  if (typeof couponId === 'object') return invalid([couponId]);
  const audit = await oversight.audit(couponId);
  return audit ? Response.json(audit, { headers: noStore }) : problem('COUPON_NOT_EXIST');
}

async function answerLoad(oversight: Oversight): Promise<Response> {
  return Response.json(await oversight.load(), { headers: noStore });
}

/** So many are listed at most: who has more has another problem than reading them. */
const LISTED_MAX = 100;

async function answerList(oversight: Oversight): Promise<Response> {
  // One more than is shown tells whether there are more.
  const letters = await oversight.listDeadLetters(LISTED_MAX + 1);
  const answer = { deadLetters: letters.slice(0, LISTED_MAX).map(toAnswer), more: letters.length > LISTED_MAX };
  return Response.json(answer, { headers: noStore });
}

function toAnswer({ id, reason, entry }: DeadLetterView): Static<typeof DeadLetterAnswer> {
  return {
    id,
    reason,
    couponId: entry?.couponId ?? null,
    firstSequence: entry?.firstSequence ?? null,
    users: entry?.users.length ?? null,
    dateAccepted: entry ? formatInstant(entry.acceptedMs) : null,
  };
}

async function answerReplay(
  oversight: Oversight,
  request: Request,
  readBody: (request: Request) => Promise<Static<typeof ReplayRequest> | Response> | Response,
): Promise<Response> {
  const body = await readBody(request);
  if (body instanceof Response) return body;
  switch (await oversight.replayDeadLetter(body.id)) {
    case 'replayed':
      return new Response(null, { status: 204, headers: noStore });
    case 'gone':
      return problem('DEAD_LETTER_NOT_EXIST');
    case 'unreadable':
      return problem('DEAD_LETTER_UNREADABLE');
  }
}

async function answerDiscard(oversight: Oversight, id: string): Promise<Response> {
  return (await oversight.discardDeadLetter(id))
    ? new Response(null, { status: 204, headers: noStore })
    : problem('DEAD_LETTER_NOT_EXIST');
}

/** It changes from one moment to the next. */
const noStore = { 'cache-control': 'no-store' };

const operatorProblems = ['UNAUTHENTICATED', 'FORBIDDEN', 'FAIL_COUPON_ISSUE_REQUEST'] as const;

const auditTold = told({
  tag: 'operations',
  operator: true,
  summary: 'Count a coupon against the promises',
  description: `Compares Redis, the streams and the rows of MySQL, and changes nothing. Takes as long as reading the rows. While
issues are on their way, a count may be off by those.`,
  parameters: [{ name: 'id', in: 'path', schema: CouponId, example: 1 }],
  answers: {
    200: {
      description: 'The counts.',
      schema: 'Audit',
      example: {
        couponId: 1,
        stockHome: 'redis',
        totalQuantity: 1000,
        issuedQuantity: 35,
        rows: 35,
        owners: 37,
        next: 38,
        unpersisted: 2,
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

const loadTold = told({
  tag: 'operations',
  operator: true,
  summary: 'How busy this process is, and how far MySQL is behind',
  description: 'Counts since the process started: the rate is the difference of two answers of one process.',
  answers: {
    200: {
      description: 'The counts.',
      schema: 'Load',
      example: {
        process: '6f1d0c52',
        uptimeMs: 86_400_000,
        accepted: 1000,
        refused: 48_211,
        failed: 0,
        unpersisted: 2,
        oldestMs: 14,
        deadLetters: 0,
      },
    },
  },
  problems: operatorProblems,
});

const listTold = told({
  tag: 'operations',
  operator: true,
  summary: 'List dead letters',
  description: `What could not be written to MySQL, with the reason; at most ${LISTED_MAX}.`,
  answers: {
    200: {
      description: 'The list.',
      schema: 'DeadLetterList',
      example: {
        deadLetters: [
          {
            id: '0/1700000000000-0',
            reason: 'no such coupon',
            couponId: 1,
            firstSequence: 37,
            users: 3,
            dateAccepted: '2026-12-01T01:00:00.123Z',
          },
        ],
        more: false,
      },
    },
  },
  problems: operatorProblems,
});

const replayTold = told({
  tag: 'operations',
  operator: true,
  summary: 'Replay a dead letter',
  description: 'Puts it back into the stream; the worker writes it under its sequences if these are still free.',
  body: {
    schema: 'ReplayRequest',
    examples: { one: { summary: 'One by its id', value: { id: '0/1700000000000-0' } } },
  },
  answers: { 204: { description: 'It is in the stream again.' } },
  problems: [
    ...operatorProblems,
    'DEAD_LETTER_NOT_EXIST',
    'DEAD_LETTER_UNREADABLE',
    'MALFORMED_REQUEST',
    'INVALID_REQUEST',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
  ],
});

const discardTold = told({
  tag: 'operations',
  operator: true,
  summary: 'Discard a dead letter',
  description: 'For good: its users keep a promise that is never written. An id is a partition and an entry.',
  parameters: [
    {
      name: 'partition',
      in: 'path',
      schema: Type.String({ description: 'the part of the id before its slash' }),
      example: '0',
    },
    {
      name: 'entry',
      in: 'path',
      schema: Type.String({ description: 'the part of the id after its slash' }),
      example: '1700000000000-0',
    },
  ],
  answers: { 204: { description: 'It is gone.' } },
  problems: [...operatorProblems, 'DEAD_LETTER_NOT_EXIST'],
});
