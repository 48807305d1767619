// captcha.ts -- A hook for a CAPTCHA: whether a request of a user comes from a person. Off unless a verifier is given to the app.
//
// Which service verifies is for who builds the app to say; nothing here knows one. Backends with a key are not asked.

import { problem } from './problem.ts';

/** Asks the service behind a CAPTCHA. */
export interface HumanVerifier {
  /**
   * @param token what the page got from the CAPTCHA, 1 to 2048 characters, as the caller sent it
   * @returns whether the service takes it; a token should be good for one use
   * @throws whatever it likes when the service cannot be asked; the caller is then told to try again
   */
  isHuman(token: string, userId: string): Promise<boolean>;
}

/** Where a token is sent. */
const HEADER = 'x-captcha-token';
const TOKEN_LENGTH_MAX = 2048;

/**
 * Makes the check before an issue.
 *
 * @param onFault told when the service could not be asked
 * @returns a function that gives null if the request may go on, else 403, or 503 when the service cannot be asked
 */
export function humanCheck(
  verifier: HumanVerifier,
  retryAfterS: number,
  onFault: (error: unknown) => void,
): (request: Request, userId: string) => Promise<Response | null> {
  return async (request, userId) => {
    const token = request.headers.get(HEADER) ?? '';
    if (token === '' || token.length > TOKEN_LENGTH_MAX) {
      return problem('FORBIDDEN', 'This needs `X-Captcha-Token`, as the page got it.');
    }
    try {
      if (await verifier.isHuman(token, userId)) return null;
    } catch (error) {
      onFault(error);
      const detail = 'The CAPTCHA cannot be checked now. Nothing was decided.';
      return problem('FAIL_COUPON_ISSUE_REQUEST', detail, {}, { 'retry-after': String(retryAfterS) });
    }
    return problem('FORBIDDEN', 'The CAPTCHA was not passed, or its token has been used.');
  };
}
