// checker.ts -- The history checker: what every caller was answered, held against the rows in the end. It accuses only what is certain.
//
// After Jepsen's set checker. An attempt took effect, if it did, at one instant between its invocation and its answer. An
// indeterminate one may have taken effect at any instant after its invocation, or never. So:
// - a row needs an attempt that can have issued it: an `ok` one or an indeterminate one, invoked before the row was issued;
// - `sold out` is right if the stock was gone at some instant until its answer: at least `total` rows issued by then. With
//   fewer, no instant can excuse it. More cannot be concluded: stock that went while the request was on its way counts as gone;
// - `not started` is wrong only if it was asked for after the start, `ended` only if it was answered before the end;
// - who had the coupon before asking again is never `sold out`, since owning it is looked for before stock.
// Callers and stores must read the same clock, up to `clockMsMax`.

import type { Refusal } from '../src/coupon/outcome.ts';

/** A coupon whose settings did not change during the history, and that was never paused. */
export interface HistoryCoupon {
  readonly id: number;
  /** null: unlimited */
  readonly total: number | null;
  readonly startMs: number;
  readonly endMs: number;
}

/** What a caller was answered. Everything that is neither a 2xx nor a refusal is indeterminate. */
export type RequestResult =
  | { readonly kind: 'ok'; readonly sequence: number }
  | { readonly kind: 'duplicate'; readonly sequence: number }
  | { readonly kind: 'refused'; readonly reason: Refusal['kind'] }
  | { readonly kind: 'indeterminate' };

/** One request. Times in milliseconds since 1970. */
export interface Attempt {
  readonly couponId: number;
  readonly userId: string;
  readonly invokedMs: number;
  /** When the caller had the answer, or gave up. */
  readonly endedMs: number;
  readonly result: RequestResult;
}

/** A row in the end. */
export interface HistoryRow {
  readonly couponId: number;
  readonly sequence: number;
  readonly userId: string;
  /** By the clock of the store that issued it. */
  readonly issuedMs: number;
}

export interface History {
  readonly coupons: readonly HistoryCoupon[];
  readonly attempts: readonly Attempt[];
  readonly rows: readonly HistoryRow[];
}

export type Verdict =
  | 'lost'
  | 'unexpected'
  | 'twice'
  | 'over'
  | 'wrong sequence'
  | 'sold out with stock left'
  | 'denied'
  | 'refused wrongly'
  | 'outside the period';

/** One broken promise, with what shows it. */
export interface Accusation {
  readonly verdict: Verdict;
  readonly couponId: number;
  readonly evidence: string;
}

export interface CheckOptions {
  /** Largest difference between the clocks of callers and stores, rounding included. */
  readonly clockMsMax: number;
  /** Set after Redis really lost acknowledged issues: then sequences that nobody has are no sign of a lost issue. */
  readonly mayHaveGaps?: boolean;
}

/** What the checks of one coupon look at. */
interface Case {
  readonly coupon: HistoryCoupon;
  readonly rows: readonly HistoryRow[];
  readonly rowOf: ReadonlyMap<string, HistoryRow>;
  readonly attemptsOf: ReadonlyMap<string, readonly Attempt[]>;
  readonly options: CheckOptions;
  accuse(verdict: Verdict, evidence: string): void;
}

/** Everything that the history proves to be wrong, in the order of the coupons; empty when every promise may have been kept. */
export function checkHistory(history: History, options: CheckOptions): Accusation[] {
  const rows = Map.groupBy(history.rows, ({ couponId }) => couponId);
  const attempts = Map.groupBy(history.attempts, ({ couponId }) => couponId);
  return history.coupons.flatMap((coupon) => {
    const found: Accusation[] = [];
    const mine = rows.get(coupon.id) ?? [];
    const about: Case = {
      coupon,
      rows: mine,
      rowOf: new Map(mine.map((row) => [row.userId, row])),
      attemptsOf: Map.groupBy(attempts.get(coupon.id) ?? [], ({ userId }) => userId),
      options,
      accuse: (verdict, evidence) => found.push({ verdict, couponId: coupon.id, evidence }),
    };
    checkRows(about);
    checkSequences(about);
    checkOrigins(about);
    for (const asked of about.attemptsOf.values()) checkAnswers(about, asked);
    checkSoldOut(about);
    return found;
  });
}

/** P1, P2 and P5, by the rows alone. */
function checkRows({ coupon, rows, accuse }: Case): void {
  if (coupon.total !== null && rows.length > coupon.total) accuse('over', `${rows.length} rows of ${coupon.total}`);
  for (const [userId, same] of Map.groupBy(rows, (row) => row.userId)) {
    if (same.length > 1) accuse('twice', `${userId} has ${same.length} rows`);
  }
  for (const [sequence, same] of Map.groupBy(rows, (row) => row.sequence)) {
    if (same.length > 1) accuse('twice', `sequence ${sequence} is in ${same.length} rows`);
  }
  for (const { userId, issuedMs } of rows) {
    if (issuedMs < coupon.startMs) accuse('outside the period', `${userId} ${coupon.startMs - issuedMs} ms too early`);
    if (issuedMs >= coupon.endMs) accuse('outside the period', `${userId} ${issuedMs - coupon.endMs} ms too late`);
  }
}

/** A sequence below the highest that nobody has and nobody was answered: it was given out, and its issue is gone. */
function checkSequences({ rows, attemptsOf, options, accuse }: Case): void {
  if (options.mayHaveGaps) return;
  const known = new Set(rows.map(({ sequence }) => sequence));
  for (const { result } of [...attemptsOf.values()].flat()) if ('sequence' in result) known.add(result.sequence);
  const highest = rows.reduce((most, { sequence }) => Math.max(most, sequence), 0);
  for (let sequence = 1; sequence < highest; sequence++) {
    if (!known.has(sequence)) accuse('lost', `sequence ${sequence} is nobody's`);
  }
}

/** Every row comes from somebody who asked for it, at a time at which it can have been issued. */
function checkOrigins({ rows, attemptsOf, options, accuse }: Case): void {
  for (const { userId, issuedMs } of rows) {
    const possible = (attemptsOf.get(userId) ?? []).filter(
      ({ result }) => result.kind === 'ok' || result.kind === 'indeterminate',
    );
    if (possible.length === 0) accuse('unexpected', `${userId} has a row and no request that can have issued it`);
    else if (!possible.some(({ invokedMs }) => invokedMs - options.clockMsMax <= issuedMs))
      accuse('unexpected', `${userId} has a row from before the request`);
  }
}

/** P3: what one user was answered. */
function checkAnswers({ coupon, rowOf, options, accuse }: Case, asked: readonly Attempt[]): void {
  if (asked.filter(({ result }) => result.kind === 'ok').length > 1)
    accuse('twice', `${asked[0]?.userId} was issued the coupon by more than one answer`);
  for (const { userId, result, invokedMs, endedMs } of asked) {
    const row = rowOf.get(userId);
    if (result.kind === 'ok' || result.kind === 'duplicate') {
      const answer = `${userId} was answered ${result.kind} ${result.sequence}`;
      if (!row) accuse('lost', `${answer} and has no row`);
      else if (row.sequence !== result.sequence) accuse('wrong sequence', `${answer} and has ${row.sequence}`);
      else if (row.issuedMs - options.clockMsMax > endedMs) accuse('lost', `${answer} before it was issued`);
    }
    if (result.kind !== 'refused') continue;
    if (result.reason === 'sold out' && row && row.issuedMs + options.clockMsMax < invokedMs)
      accuse('denied', `${userId} had ${row.sequence} and was answered sold out`);
    if (isWrong(result.reason, coupon, invokedMs, endedMs, options.clockMsMax))
      accuse('refused wrongly', `${userId} was answered ${result.reason}`);
  }
}

/** Whether no instant between question and answer excuses a refusal for the period. */
function isWrong(
  reason: Refusal['kind'],
  { startMs, endMs }: HistoryCoupon,
  invokedMs: number,
  endedMs: number,
  clockMsMax: number,
): boolean {
  switch (reason) {
    case 'not started':
      return invokedMs - clockMsMax >= startMs;
    case 'ended':
      return endedMs + clockMsMax < endMs;
    case 'paused':
    case 'not exist':
      return true;
    case 'sold out':
      return false;
  }
}

/** P4: the stock had to be gone when `sold out` was answered. */
function checkSoldOut({ coupon, rows, attemptsOf, options, accuse }: Case): void {
  const issuedMs = rows.map((row) => row.issuedMs).sort((a, b) => a - b);
  /** When the last piece went; never for an unlimited coupon or one that has stock left in the end. */
  const goneMs = coupon.total === null ? undefined : issuedMs[coupon.total - 1];
  for (const { userId, result, endedMs } of [...attemptsOf.values()].flat()) {
    if (result.kind !== 'refused' || result.reason !== 'sold out') continue;
    if (goneMs === undefined) accuse('sold out with stock left', `${userId} at ${rows.length} of ${coupon.total}`);
    else if (goneMs - options.clockMsMax > endedMs)
      accuse('sold out with stock left', `${userId} ${goneMs - endedMs} ms before the last piece went`);
  }
}
