// limited-callers.ts -- Who was refused most for asking too often: what an operator needs to stop a flood. Personal, so for keys alone.

import { Type } from '@sinclair/typebox';
import { type Authority, operatorsWith } from '../auth/authority.ts';
import type { RefusedName } from '../http/rate-limit/limiter.ts';
import { route } from '../http/route.ts';
import { count } from './audit.ts';

export interface LimitedCallersDependencies {
  readonly authority: Pick<Authority, 'guard'>;
  readonly limitedCallers: () => (RefusedName & { readonly kind: 'address' | 'user' })[];
}

const LimitedCallerList = Type.Object(
  {
    limitedCallers: Type.Array(
      Type.Object({
        kind: Type.Union([Type.Literal('address'), Type.Literal('user')]),
        name: Type.String({ description: 'the address, an IPv6 one as its network; or the id of the user' }),
        refused: count('requests answered 429 in this window and the one before'),
      }),
      { description: 'sorted by the number of refused requests, highest first' },
    ),
  },
  { $id: 'LimitedCallerList' },
);

/** `GET /v1/limited-callers`. */
export function limitedCallersRoute({ authority, limitedCallers }: LimitedCallersDependencies) {
  return route(
    'GET',
    '/v1/limited-callers',
    {
      operationId: 'listLimitedCallers',
      tag: 'operators',
      summary: 'List rate-limited callers',
      description:
        'Addresses and users that exceeded a rate limit, as counted by the process that answers this request.',
      access: operatorsWith(authority, 'read'),
      answers: {
        200: {
          description: 'The callers.',
          schema: LimitedCallerList,
          example: { limitedCallers: [{ kind: 'address', name: '203.0.113.7', refused: 65_399 }] },
        },
      },
      problems: [],
    },
    async () => ({ body: { limitedCallers: limitedCallers() } }),
  );
}
