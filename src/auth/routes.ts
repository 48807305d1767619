// routes.ts -- Tells who shows a key what it may do, so that a console offers only what will not be refused.

import { Type } from '@sinclair/typebox';
import { route } from '../http/route.ts';
import { scopes } from './api-keys.ts';
import type { Authority } from './authority.ts';

export interface KeyDependencies {
  readonly authority: Pick<Authority, 'scopesOf'>;
}

const KeyAnswer = Type.Object(
  {
    scopes: Type.Array(Type.Union(scopes.map((scope) => Type.Literal(scope))), {
      description: 'what it may do; `admin` stands for all of them',
    }),
  },
  { $id: 'Key' },
);

/** `GET /v1/key`, for callers that have one. */
export function keyRoutes({ authority }: KeyDependencies) {
  return [
    route(
      'GET',
      '/v1/key',
      {
        operationId: 'readKey',
        tag: 'operators',
        summary: 'Read the scopes of the key of this request',
        description: 'For consoles, and for checks when a program starts. Any key may call it, whatever its scopes.',
        // Any key will do, and the handler refuses what is none.
        access: { callers: ['operator'], refuse: () => null },
        answers: { 200: { description: 'Its scopes.', schema: KeyAnswer, example: { scopes: ['read'] } } },
      },
      ({ request }) => {
        const granted = authority.scopesOf(request);
        return granted instanceof Response ? granted : { body: { scopes: [...granted] } };
      },
    ),
  ] as const;
}
