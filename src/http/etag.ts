// etag.ts -- Entity tags (RFC 9110): the version of a coupon as `ETag` out and `If-Match` in, and what a cache has by `If-None-Match`.
//
// An edit without `If-Match` is unconditional.

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

/** Whether the caller has this already (`If-None-Match`); weak tags are compared as strong ones are. */
export function isNoneMatched(request: Request, etag: string): boolean {
  const sent = request.headers.get('if-none-match');
  const opaque = (tagged: string) => tagged.trim().replace(/^W\//, '');
  return sent !== null && sent.split(',').some((one) => opaque(one) === opaque(etag));
}
