// outcome.ts -- The outcomes of a request for a coupon, and the five promises that each of them keeps.
//
// P1  Never too many.         A coupon never has more issues than its `totalQuantity`, through any mix of the three endpoints.
// P2  Never twice.            A user has a coupon at most once.
// P3  Never a broken word.    Every 2xx answer becomes exactly one row in MySQL, with the sequence number it named, through
//                             kill -9 of the API, the worker, Redis or MySQL at any instant.
// P4  Never too few.          `sold out` is answered only when the stock really is gone.
// P5  Never outside the time. Nothing is issued before `dateIssueStart` or from `dateIssueEnd` on, by one clock: that of
//                             the store that is the home of the coupon's stock.
//
// An expected result is a value of `Outcome`. A fault is an exception, and indeterminate: the coupon may or may not have
// been issued; retry to find out.

/** The outcome of one request. `sequence` is the number of the issue within its coupon, from 1. */
export type Outcome =
  | { readonly kind: 'issued'; readonly sequence: number }
  | { readonly kind: 'already issued'; readonly sequence: number }
  | Refusal;

/** An outcome without a sequence: nothing was issued to this user, now or before, as far as the checks had to look. */
export type Refusal =
  | { readonly kind: 'not exist' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'not started' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'sold out' };

/** One shared object for each refusal: a rush refuses millions, and none of them differs. */
export const refusal = {
  'not exist': { kind: 'not exist' },
  paused: { kind: 'paused' },
  'not started': { kind: 'not started' },
  ended: { kind: 'ended' },
  'sold out': { kind: 'sold out' },
} as const satisfies { readonly [K in Refusal['kind']]: { readonly kind: K } };

/**
 * Why the system cannot answer: `overloaded` and `stopping` say that nothing was decided, `dependency` that the result is ambiguous,
 * `unwritten` that an accepted issue is not yet a row.
 */
export type UnavailableReason = 'overloaded' | 'stopping' | 'dependency' | 'unwritten';

/**
 * The system cannot answer now: 503 with `Retry-After`.
 *
 * With reason `dependency` Redis or MySQL failed, and the result is indeterminate.
 */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  readonly reason: UnavailableReason;

  constructor(reason: UnavailableReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
