// coupon.ts -- What a coupon is, and the pure rules by which it is given out.
//
// Every issuer agrees with `decide`: `synchronous` and `locked` call it, `take.lua` says the same in Lua, and a property
// test holds all of them against it. The order of checks is fixed: exists, not paused, period, already issued, stock left.

import { type Outcome, type Refusal, refusal } from './outcome.ts';
import type { Terms, OptionalTerms } from './terms.ts';

/** Where the stock of a coupon is given out. At any time exactly one store does it. */
export type StockHome = 'mysql' | 'redis';

/** A coupon as MySQL knows it. Instants are milliseconds since 1970 in UTC. */
export interface Coupon extends Terms {
  readonly id: number;
  readonly title: string;
  readonly couponType: 'FIRST_COME_FIRST_SERVED';
  /** How many may be issued; null means without limit. */
  readonly totalQuantity: number | null;
  /** Rows in `coupon_issues`. While the home is `redis`, accepted issues that the worker has not yet written are missing. */
  readonly issuedQuantity: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly paused: boolean;
  /** Whether it is announced: until then only operators can read it. Issuing does not depend on it. */
  readonly listed: boolean;
  readonly stockHome: StockHome;
  /** Rises with every opening of the stock in Redis; what was read under an older epoch must not be written. */
  readonly epoch: number;
  /** When its issues began to be moved to a file; null while they are rows. It is then issued, opened and edited no more. */
  readonly archivedMs: number | null;
  /** Rises with every edit. */
  readonly version: number;
  /** The key of pseudonyms, while there are erased users who must not get it again; see pseudonym.ts. */
  readonly erasureKey?: string;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** What an operator says to make a coupon. */
export type CouponDraft = Pick<
  Coupon,
  'title' | 'totalQuantity' | 'discountAmount' | 'minAvailableAmount' | 'startMs' | 'endMs' | 'listed'
> &
  Partial<OptionalTerms>;

/** What an operator can change. What is not named stays as it is. */
export type CouponChanges = Partial<CouponDraft & Pick<Coupon, 'paused'>>;

/** The part of a coupon that decides, wherever its home is. */
export interface Stock {
  readonly startMs: number;
  readonly endMs: number;
  readonly paused: boolean;
  /** The next sequence to give. */
  readonly next: number;
  /** The last sequence that may be given; `UNLIMITED` for no limit. */
  readonly until: number;
}

/** `until` of a coupon without limit. */
export const UNLIMITED = -1;

/** The largest coupon id and sequence: what JSON, Lua and JavaScript all hold exactly. */
export const ID_MAX = Number.MAX_SAFE_INTEGER;

/**
 * What a user id looks like, as identity providers give them out: visible ASCII without `"`, `'`, `,`, `\\`, `{` and `}`. So none
 * needs escaping in SQL or JSON text, nor in a list with commas, and no brace can reach a key. Not `.` or `..`, which a URL drops
 * from its path. Without lookahead, which Go does not know.
 */
export const USER_ID_PATTERN = '^(\\.{0,2}[!#-&(-+/-\\[\\]-z|~-]|\\.{3})[!#-&(-+.-\\[\\]-z|~-]*$';
export const USER_ID_LENGTH_MAX = 255;
const userIdExpression = new RegExp(USER_ID_PATTERN);

/** Whether `text` is a user id. */
export function isUserId(text: string): boolean {
  return text.length <= USER_ID_LENGTH_MAX && userIdExpression.test(text);
}

/**
 * The last sequence that may be given.
 *
 * After Redis lost acknowledged issues, some sequences below `next` belong to nobody. They stay unused, and as many are
 * added at the end, as far as numbers go: the count of issues is limited (P1, P4), not the height of the number.
 *
 * @param next the next sequence to give
 * @param issued how many issues there are
 * @param total how many there may be; null for no limit
 */
export function lastSequence(next: number, issued: number, total: number | null): number {
  return total === null ? UNLIMITED : Math.min(ID_MAX, next - 1 + Math.max(0, total - issued));
}

/** The refusals by the period and the pause of a coupon: the same for every user. */
export type PeriodRefusal = Exclude<Refusal, { readonly kind: 'not exist' | 'sold out' }>;

/** Why the coupon is not issued to anybody at `nowMs`, or null within the period while not paused. */
export function checkPeriod(stock: Pick<Stock, 'startMs' | 'endMs' | 'paused'>, nowMs: number): PeriodRefusal | null {
  if (stock.paused) return refusal.paused;
  if (nowMs < stock.startMs) return refusal['not started'];
  if (nowMs >= stock.endMs) return refusal.ended;
  return null;
}

/** What the rules say about a batch. `taken` are the winners in order: they get `stock.next` and the numbers after it. */
export interface Decision {
  readonly outcomes: readonly Outcome[];
  readonly taken: readonly string[];
}

/**
 * Decides a batch of users against one state of the stock.
 *
 * @param stock the state before the batch
 * @param owners the sequence of each user of the batch who already has the coupon
 * @param users in order of arrival; a user who stands twice gets one outcome and one `already issued`
 * @param nowMs the clock of the stock's home
 * @returns one outcome per user, in the same order
 */
export function decide(
  stock: Stock,
  owners: ReadonlyMap<string, number>,
  users: readonly string[],
  nowMs: number,
): Decision {
  const refused = checkPeriod(stock, nowMs);
  if (refused) return { outcomes: users.map(() => refused), taken: [] };
  const taken = new Map<string, number>();
  let next = stock.next;
  const outcomes = users.map((user): Outcome => {
    const owned = owners.get(user) ?? taken.get(user);
    if (owned !== undefined) return { kind: 'already issued', sequence: owned };
    if (stock.until !== UNLIMITED && next > stock.until) return refusal['sold out'];
    taken.set(user, next);
    return { kind: 'issued', sequence: next++ };
  });
  return { outcomes, taken: [...taken.keys()] };
}
