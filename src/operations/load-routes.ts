// load-routes.ts -- How busy one API process is, and how far MySQL is behind: what a live page needs, without Prometheus beside it.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { operation } from '../http/openapi.ts';
import type { Authority } from '../auth/authority.ts';

export interface LoadDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  readonly load: () => Promise<Load>;
}

/** Counts since the process started. Rates are the reader's to make, from two of them. */
export interface Load {
  /** Which process answered: every one counts from its own start, so those of two must not be subtracted. */
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

/** The schemas by the names that the document gives them. */
export const loadSchemas = { Load: LoadAnswer };

/** `GET /v1/load`, for operators. */
export function loadRoutes({ authority, load }: LoadDependencies) {
  const refuse = authority.guard('read');
  return new Elysia({ name: 'load' }).get('/v1/load', ({ request }) => refuse(request) ?? answerLoad(load), {
    detail: loadOperation,
  });
}

async function answerLoad(load: LoadDependencies['load']): Promise<Response> {
  return Response.json(await load(), { headers: { 'cache-control': 'no-store' } });
}

const loadOperation = operation({
  operationId: 'readLoad',
  tag: 'operators',
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
  problems: ['UNAUTHENTICATED', 'FORBIDDEN', 'FAIL_COUPON_ISSUE_REQUEST'],
});
