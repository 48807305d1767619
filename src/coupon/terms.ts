// terms.ts -- What an issue promises its user: what it takes off, and when it can be used. Once a coupon has issues, its terms are fixed.

import { INSTANT_MS_MAX } from '../http/instant.ts';
import { endOfDay } from './time-zone.ts';

/** What need not be said of a coupon. Instants are milliseconds since 1970 in UTC; null: no bound. Either instants, or days, never both. */
export interface OptionalTerms {
  /** ISO 4217. */
  readonly currency: string;
  /** The first instant at which an issue can be used. */
  readonly usableFromMs: number | null;
  /** The first instant at which it can no longer be used. */
  readonly usableUntilMs: number | null;
  /** So many days after the day on which it was issued, to the end of that day in `timeZone`. */
  readonly usableDays: number | null;
  /** A name of the IANA. */
  readonly timeZone: string;
}

export interface Terms extends OptionalTerms {
  /** In the smallest unit of the currency. */
  readonly discountAmount: number;
  /** The smallest order the coupon can be used for, in the smallest unit of the currency. */
  readonly minAvailableAmount: number;
}

/** What coupons have that say nothing of it, and all of earlier releases. */
export const termDefaults: OptionalTerms = {
  currency: 'KRW',
  usableFromMs: null,
  usableUntilMs: null,
  usableDays: null,
  timeZone: 'UTC',
};

const termNames = [
  'discountAmount',
  'minAvailableAmount',
  'currency',
  'usableFromMs',
  'usableUntilMs',
  'usableDays',
  'timeZone',
] as const satisfies readonly (keyof Terms)[];

/** Whether changes would alter what users were promised with an issue. Those of a coupon that has issues are refused. */
export function changesTerms(terms: Terms, changes: Partial<Terms>): boolean {
  return termNames.some((name) => changes[name] !== undefined && changes[name] !== terms[name]);
}

/** A member that contradicts others, as its JSON is called. */
export type Contradiction = 'dateIssueEnd' | 'usableUntil' | 'usableDays';

/** What is wrong with members together; null where nothing is. */
export function contradictionIn({
  startMs,
  endMs,
  usableFromMs,
  usableUntilMs,
  usableDays,
}: Omit<OptionalTerms, 'currency' | 'timeZone'> & {
  readonly startMs: number;
  readonly endMs: number;
}): Contradiction | null {
  if (endMs <= startMs) return 'dateIssueEnd';
  if (usableDays !== null && (usableFromMs !== null || usableUntilMs !== null)) return 'usableDays';
  return usableUntilMs !== null && usableUntilMs <= Math.max(startMs, usableFromMs ?? startMs) ? 'usableUntil' : null;
}

/** When one issue can be used: from the first instant until the second; null: no bound. */
export interface UsablePeriod {
  readonly usableFromMs: number | null;
  readonly usableUntilMs: number | null;
}

/** @param issuedMs when the issue was accepted */
export function usablePeriod(terms: OptionalTerms, issuedMs: number): UsablePeriod {
  const { usableDays, usableFromMs, usableUntilMs, timeZone } = terms;
  if (usableDays === null) return { usableFromMs, usableUntilMs };
  const endMs = endOfDay(timeZone, issuedMs, usableDays);
  return { usableFromMs: null, usableUntilMs: Math.min(endMs, INSTANT_MS_MAX) };
}
