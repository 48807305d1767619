// load-routes.ts -- How busy one API process is, and how far MySQL is behind: what a live page needs, without Prometheus beside it.

import { type Static, Type } from '@sinclair/typebox';
import { operatorsWith } from '../auth/access.ts';
import type { Authority } from '../auth/authority.ts';
import { route } from '../http/route.ts';

export interface LoadDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  readonly load: () => Promise<Load>;
}

const count = (description: string) => Type.Integer({ minimum: 0, description });

const LoadAnswer = Type.Object(
  {
    process: Type.String({ description: 'which process answered; counts of two processes must not be subtracted' }),
    uptimeMs: count('milliseconds since it started'),
    accepted: count('requests of the issue endpoints that got a coupon, since the start of the process'),
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

const example: Load = {
  process: '6f1d0c52',
  uptimeMs: 86_400_000,
  accepted: 1000,
  refused: 48_211,
  failed: 0,
  unpersisted: 2,
  oldestMs: 14,
  deadLetters: 0,
};

/** `GET /v1/load`, for operators. */
export function loadRoutes({ authority, load }: LoadDependencies) {
  return [
    route(
      'GET',
      '/v1/load',
      {
        operationId: 'readLoad',
        tag: 'operators',
        summary: 'How busy this process is, and how far MySQL is behind',
        description: 'Counts since the process started: the rate is the difference of two answers of one process.',
        access: operatorsWith(authority, 'read'),
        answers: { 200: { description: 'The counts.', schema: LoadAnswer, example } },
        problems: ['FAIL_COUPON_ISSUE_REQUEST'],
      },
      async () => ({ body: await load() }),
    ),
  ] as const;
}
