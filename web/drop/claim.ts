// claim.ts -- How a front end asks for a coupon: ask, and while the ending is unknown ask again; never tell anybody what is not known.
//
// - 2xx: it is yours, with its number.
// - DUPLICATED_COUPON_ISSUE with a sequence: it is yours too; mostly this is the answer to one's own first, lost request.
// - A timeout, a 500, a 503 or a broken connection is indeterminate: ask again, with a growing pause and a little chance,
//   so that a crowd that was turned away together does not come back together.
// - Everything else is the answer.

import { ApiFault } from '../shared/http.ts';

/** What became of it. */
export type Claim =
  | { readonly kind: 'won' | 'had'; readonly sequence: number }
  | { readonly kind: 'sold out' | 'closed' }
  | { readonly kind: 'refused'; readonly detail: string }
  /** Asked as often as allowed, and still nobody knows. */
  | { readonly kind: 'unknown' };

export interface ClaimDependencies {
  /** Asks once. Returns the sequence; throws `ApiFault`. */
  issue(): Promise<number>;
  pause(ms: number): Promise<void>;
  /** From 0 to 1. */
  random(): number;
  /** Called before each further asking. */
  onAgain(): void;
}

const TRIES_MAX = 8;
const PAUSE_MS = 400;
const PAUSE_MS_MAX = 5000;

/** Asks until the ending is known, at most eight times. Throws what `issue` throws beside `ApiFault`. */
export async function claim({ issue, pause, random, onAgain }: ClaimDependencies): Promise<Claim> {
  for (let tries = 1; ; tries += 1) {
    try {
      return { kind: 'won', sequence: await issue() };
    } catch (fault) {
      if (!(fault instanceof ApiFault)) throw fault;
      if (!isIndeterminate(fault)) return endingOf(fault);
      if (tries >= TRIES_MAX) return { kind: 'unknown' };
    }
    onAgain();
    const longest = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** (tries - 1));
    await pause(longest * (0.5 + random() / 2));
  }
}

/** Whether nobody can say what happened, or nothing was decided at all: in both cases to ask again is right, and safe. */
function isIndeterminate({ status }: ApiFault): boolean {
  return status === 0 || status === 408 || status === 429 || status >= 500;
}

function endingOf({ code, problem, message }: ApiFault): Claim {
  if (code === 'DUPLICATED_COUPON_ISSUE' && problem.sequence !== undefined) {
    return { kind: 'had', sequence: problem.sequence };
  }
  if (code === 'INVALID_COUPON_ISSUE_QUANTITY') return { kind: 'sold out' };
  if (code === 'INVALID_COUPON_ISSUE_DATE') return { kind: 'closed' };
  return { kind: 'refused', detail: message };
}
