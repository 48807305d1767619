// pagination.ts -- Pages of a list, in order of id: `?after=` the last id of the page before, at most `?limit=` of them.

import { Type } from '@sinclair/typebox';
import type { Parameter } from './openapi.ts';
import { type Fault, invalid } from './problem.ts';

const ID_MAX = Number.MAX_SAFE_INTEGER;
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

/** Which page is asked for: at most `limit` with ids above `afterId`. */
export interface Page {
  readonly afterId: number;
  readonly limit: number;
}

const after = `id of a coupon, an integer from 0 to ${ID_MAX}: only higher ids are listed`;
const limits = `how many on a page: an integer from 1 to ${LIMIT_MAX}`;

/** How the two are documented. */
export const pageParameters: readonly Parameter[] = [
  {
    name: 'after',
    in: 'query',
    schema: Type.Integer({ minimum: 0, maximum: ID_MAX, default: 0, description: after }),
    example: 0,
  },
  {
    name: 'limit',
    in: 'query',
    schema: Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT, description: limits }),
    example: LIMIT_DEFAULT,
  },
];

/** The page that a request asks for, or the answer that refuses it. */
export function readPage(request: Request): Page | Response {
  const query = new URL(request.url).searchParams;
  const afterId = readWhole(query.get('after') ?? '0', 0, ID_MAX);
  const limit = readWhole(query.get('limit') ?? String(LIMIT_DEFAULT), 1, LIMIT_MAX);
  if (afterId !== null && limit !== null) return { afterId, limit };
  const faults: Fault[] = [];
  if (afterId === null) faults.push({ in: 'query', pointer: '/after', expected: after });
  if (limit === null) faults.push({ in: 'query', pointer: '/limit', expected: limits });
  return invalid(faults);
}

/**
 * Cuts a list to its page.
 *
 * @param found one more than the page holds, if there are so many
 * @returns the page, and the id after which the next one begins; null on the last
 */
export function cutPage<Item>(
  found: readonly Item[],
  { limit }: Page,
  idOf: (item: Item) => number,
): { readonly items: readonly Item[]; readonly next: number | null } {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: found.length > limit && last !== undefined ? idOf(last) : null };
}

/** A whole number as text: no sign, no leading zero. Null when it is none, or out of range. */
export function readWhole(text: string, minimum: number, maximum: number): number | null {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : -1;
  return value >= minimum && value <= maximum ? value : null;
}
