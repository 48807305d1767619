// other-origins.ts -- Refuses what pages of other origins would change. A browser sends a POST without a body from any page; where no
// token is asked for, nothing else would keep such a page from using a visitor's coupons.

import { problem } from './problem.ts';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * The refusal of a request that a page of another origin sent; null for every other. Programs that are no browser send neither header.
 *
 * @param origins those whose pages may call
 */
export function refuseOtherOrigins(request: Request, origins: ReadonlySet<string> | null): Response | null {
  if (READING.has(request.method)) return null;
  const origin = request.headers.get('origin');
  if (origin !== null && origins?.has(origin)) return null;
  const site = request.headers.get('sec-fetch-site');
  // Older browsers say no more than the origin, and say nothing for pages without one.
  const isOwn =
    site === null
      ? origin === null || hostOf(origin) === request.headers.get('host')
      : site === 'same-origin' || site === 'none';
  return isOwn
    ? null
    : problem('FORBIDDEN', 'With AUTH=off, requests from pages of other origins may not change anything.');
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
