// pagination.ts -- Pages of a list, in order of id: `?after=` the last id of the page before, at most `?limit=` of them.

import { Type } from '@sinclair/typebox';

const ID_MAX = Number.MAX_SAFE_INTEGER;
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

/** Which page is asked for: at most `limit` with ids above `after`. */
export interface Page {
  readonly after: number;
  readonly limit: number;
}

/** The parameters of a route that lists. */
export const pageParameters = {
  after: {
    schema: Type.Integer({
      minimum: 0,
      maximum: ID_MAX,
      default: 0,
      description: `id of a coupon, an integer from 0 to ${ID_MAX}: only higher ids are listed`,
    }),
    example: 0,
  },
  limit: {
    schema: Type.Integer({
      minimum: 1,
      maximum: LIMIT_MAX,
      default: LIMIT_DEFAULT,
      description: `how many on a page: an integer from 1 to ${LIMIT_MAX}`,
    }),
    example: LIMIT_DEFAULT,
  },
};

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
