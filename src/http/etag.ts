// etag.ts -- The version of a coupon as an entity tag: `ETag` out, `If-Match` in (RFC 9110). An edit without it is unconditional.

import { Type } from '@sinclair/typebox';
import type { Parameter } from './openapi.ts';
import type { Fault } from './problem.ts';

/** The header of an answer that shows a coupon of this version. */
export function versionTag(version: number): { readonly etag: string } {
  return { etag: `"${version}"` };
}

const description = 'the `ETag` of what is to be changed, such as "3"; several with commas between them, or * for any';

/** How `If-Match` is documented. */
export const IfMatchParameter: Parameter = {
  name: 'If-Match',
  in: 'header',
  schema: Type.String({ description }),
};

const tag = String.raw`(?:W/)?"[\x21\x23-\x7e]{0,64}"`;
const tags = new RegExp(`^${tag}(?:[ \\t]*,[ \\t]*${tag}){0,15}$`);

/**
 * Reads `If-Match`.
 *
 * @returns the versions that are named; null for any version, when the header is missing or `*`; else what is wrong with it.
 *   An unknown tag, or a weak one, names no version: nothing matches it
 */
export function readIfMatch(request: Request): readonly number[] | null | Fault {
  const header = request.headers.get('if-match')?.trim() ?? '*';
  if (header === '*') return null;
  if (!tags.test(header)) return { in: 'header', pointer: '/If-Match', expected: description };
  return [...header.matchAll(/(?<!W\/)"([1-9][0-9]{0,9})"/g)].map((match) => Number(match[1]));
}
