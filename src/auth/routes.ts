// routes.ts -- Tells who shows a key what it may do, so that a console offers only what will not be refused.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { scopes } from './api-keys.ts';
import type { Authority } from './authority.ts';
import { operation } from '../http/openapi.ts';

export interface KeyDependencies {
  readonly authority: Pick<Authority, 'scopesOf'>;
}

export const KeyAnswer = Type.Object({
  scopes: Type.Array(Type.Union(scopes.map((scope) => Type.Literal(scope))), {
    description: 'what it may do; `admin` stands for all of them',
  }),
});

/** The schemas by the names that the document gives them. */
export const keySchemas = { Key: KeyAnswer };

/** `GET /v1/key`, for callers that have one. */
export function keyRoutes({ authority }: KeyDependencies) {
  return new Elysia({ name: 'key' }).get(
    '/v1/key',
    ({ request }) => {
      const granted = authority.scopesOf(request);
      if (granted instanceof Response) return granted;
      return Response.json({ scopes: granted }, { headers: { 'cache-control': 'no-store' } });
    },
    { detail: keyOperation },
  );
}

const keyOperation = operation({
  operationId: 'readKey',
  tag: 'operators',
  operator: true,
  summary: 'What the key that asks may do',
  description: 'For consoles, and for checks at the start of a program. Every key may ask, whatever its scopes.',
  answers: { 200: { description: 'Its scopes.', schema: 'Key', example: { scopes: ['read'] } } },
  problems: ['UNAUTHENTICATED', 'FORBIDDEN'],
});
