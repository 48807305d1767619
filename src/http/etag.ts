// etag.ts -- The version of a coupon as an entity tag: `ETag` out, `If-Match` in (RFC 9110). An edit without it is unconditional.

import { Type } from '@sinclair/typebox';

/** The header of an answer that shows a coupon of this version. */
export function versionTag(version: number): { readonly etag: string } {
  return { etag: `"${version}"` };
}

const tag = String.raw`(?:W/)?"[\x21\x23-\x7e]{0,64}"`;
const pattern = String.raw`^(?:\*|${tag}(?:[ \t]*,[ \t]*${tag}){0,15})$`;
const form = new RegExp(pattern);

/** `If-Match`: the versions that may be changed; null for any. An unknown tag, or a weak one, names no version. */
export const ifMatch = {
  schema: Type.String({
    pattern,
    description: 'the `ETag` of what is to be changed, such as "3"; several with commas between them, or * for any',
  }),
  example: '*',
  read(sent: string | null): readonly number[] | null | undefined {
    if (sent === null || sent === '*') return null;
    if (!form.test(sent)) return undefined;
    return [...sent.matchAll(/(?<!W\/)"([1-9][0-9]{0,9})"/g)].map((match) => Number(match[1]));
  },
};
