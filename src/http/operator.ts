// operator.ts -- Who may use the operators' routes: whoever sends the key of this installation. Without a key nobody may.

import { createHash, timingSafeEqual } from 'node:crypto';
import { problem } from './problem.ts';

const SCHEME = 'bearer ';

/**
 * Makes the guard of the operators' routes.
 *
 * @param key `ADMIN_API_KEY`; undefined: the routes are off
 * @returns a function from a request to null if it may go on, else to the answer that refuses it: 403 or 401
 */
export function operatorGuard(key: string | undefined): (request: Request) => Response | null {
  if (key === undefined) {
    return () =>
      problem(
        'FORBIDDEN',
        'Creating and managing coupons is off: this installation was started without ADMIN_API_KEY.',
      );
  }
  const wanted = digest(key);
  return (request) => {
    const header = request.headers.get('authorization') ?? '';
    // No pattern: one that skips blanks on both sides takes quadratic time on a header of blanks.
    if (header.slice(0, SCHEME.length).toLowerCase() !== SCHEME)
      return unauthenticated('This route needs `Authorization: Bearer …`.', 'Bearer');
    // Digests have one length, and comparing them tells nothing about where two keys differ.
    if (timingSafeEqual(digest(header.slice(SCHEME.length).trim()), wanted)) return null;
    return unauthenticated('This is not the key of this installation.', 'Bearer error="invalid_token"');
  };
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

function unauthenticated(detail: string, challenge: string): Response {
  return problem('UNAUTHENTICATED', detail, {}, { 'www-authenticate': challenge });
}
