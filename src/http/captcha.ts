// captcha.ts -- Checks the CAPTCHA token of a user with the siteverify call that Turnstile, hCaptcha and reCAPTCHA share.
//
// Backends with a key are not asked. While the service cannot be asked, users get 503.

import { problem, retryAfter } from './problem.ts';

/** Whether the service accepts a token. Throws when it cannot be asked. */
export type HumanVerifier = (token: string) => Promise<boolean>;

const HEADER = 'x-captcha-token';
const TOKEN_LENGTH_MAX = 2048;
/** Longest wait for the service. */
const VERIFY_MS_MAX = 3000;

/** Verifies tokens at the siteverify address of a service, with the secret of this site. */
export function createHumanVerifier(url: string, secret: string, waitMsMax = VERIFY_MS_MAX): HumanVerifier {
  return async (token) => {
    const body = new URLSearchParams({ secret, response: token });
    // A redirect would carry the secret elsewhere.
    const reply = await fetch(url, { method: 'POST', body, redirect: 'error', signal: AbortSignal.timeout(waitMsMax) });
    const verdict = (await reply.json()) as { success?: unknown; 'error-codes'?: unknown } | null;
    const codes = JSON.stringify(verdict?.['error-codes'] ?? []);
    // A wrong secret is our fault and not the user's.
    if (typeof verdict?.success !== 'boolean' || /secret|internal|bad-request/.test(codes)) {
      throw new Error(`the CAPTCHA service answered ${reply.status} without a verdict (${codes})`);
    }
    return verdict.success;
  };
}

/**
 * Makes the check before an issue.
 *
 * @param onFault called when the service could not be asked
 * @returns a function that returns null if the request may go on, else 403, or 503 when the service cannot be asked
 */
export function humanCheck(
  verify: HumanVerifier,
  retryAfterS: number,
  onFault: (error: unknown, request: Request) => void,
): (request: Request) => Promise<Response | null> {
  return async (request) => {
    const token = request.headers.get(HEADER) ?? '';
    if (token === '' || token.length > TOKEN_LENGTH_MAX) {
      return problem('FORBIDDEN', 'The header `X-Captcha-Token` with the token of the CAPTCHA is required.');
    }
    try {
      if (await verify(token)) return null;
    } catch (error) {
      onFault(error, request);
      const detail = 'The CAPTCHA cannot be checked now. Nothing was decided.';
      return problem('FAIL_COUPON_ISSUE_REQUEST', detail, {}, retryAfter(retryAfterS));
    }
    return problem('FORBIDDEN', 'The CAPTCHA failed, or its token was already used.');
  };
}
