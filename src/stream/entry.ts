// entry.ts -- What an entry of the stream means. The scripts write entries, workers and openings read them here alone.
//
// An entry is one accepted batch: its users have the sequences from `first` on, in order. Fields, all text:
// v version, c coupon, e epoch, s first sequence, t milliseconds when accepted, p the number of the endpoint, u users joined by commas.
// `p` may be missing: entries of earlier releases do not have it, nor do those that were restored.
//
// Releases run side by side during a deploy, so one may meet entries of a version that only a later one can write. It cannot
// make rows of them, and must not issue as if they were not there either: P2 and P3 would be broken for their users. So three
// fields keep their name and their meaning in every version, permanently: `c`, `s` and `u`. They say who holds which sequence of
// which coupon, and `readAllocation` reads them whatever the version is. A release that has to break one of them must write to
// streams of another name. Everything else, `e` and `t` too, may change with `v`.

import { type Endpoint, endpointNumber, endpointOf } from '../coupon/accepted-by.ts';
import { ID_MAX, isUserId } from '../coupon/coupon.ts';

/** One accepted batch. */
export interface Entry {
  readonly couponId: number;
  /** The epoch of the opening under which it was accepted. */
  readonly epoch: number;
  readonly firstSequence: number;
  /** By the clock of Redis. */
  readonly acceptedMs: number;
  /** At least one; the i-th has the sequence `firstSequence + i`. */
  readonly users: readonly string[];
  /** Which accepted it, where that is known. */
  readonly endpoint?: Endpoint | undefined;
}

/** What an entry of any version says, also of one that is yet to come: who holds which sequences of which coupon. */
export type Allocation = Pick<Entry, 'couponId' | 'firstSequence' | 'users'>;

/** An entry that is about a coupon, and does not say who holds what of it. */
export interface Undecodable {
  readonly couponId: number;
  readonly undecodable: true;
}

/**
 * The version of an entry of these users. The release before knew ids of 1 to 64 letters, digits, `_` and `-`, and would bury others
 * as malformed: it keeps an entry of a later version for a worker that knows it.
 */
export function entryVersion(users: readonly string[]): 1 | 2 {
  return users.every((user) => user.length <= 64 && !/[^\w-]/.test(user)) ? 1 : 2;
}

const VERSIONS: ReadonlySet<string | undefined> = new Set(['1', '2']);

/** Why an entry of a later release is among the dead letters. It breaks no promise: it waits for a worker that can write it. */
export const UNKNOWN_VERSION = 'unknown version';

/** The largest instant that `datetime` and JavaScript both hold: the end of the year 9999. */
const INSTANT_MS_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * Reads the fields of an entry.
 *
 * @param fields names and values in turn, as Redis gives them
 * @returns the entry, or the reason why it can never be understood; the reason repeats no user id
 */
export function readEntry(fields: readonly string[]): Entry | { readonly reason: string } {
  const value = valuesOf(fields);
  if (!VERSIONS.has(value.get('v'))) return { reason: UNKNOWN_VERSION };
  const couponId = wholeIn(value.get('c'), 1, ID_MAX);
  const epoch = wholeIn(value.get('e'), 0, ID_MAX);
  const firstSequence = wholeIn(value.get('s'), 1, ID_MAX);
  const acceptedMs = wholeIn(value.get('t'), 0, INSTANT_MS_MAX);
  if (couponId === null) return { reason: 'malformed coupon id' };
  if (epoch === null) return { reason: 'malformed epoch' };
  if (firstSequence === null) return { reason: 'malformed sequence' };
  if (acceptedMs === null) return { reason: 'malformed time' };
  const users = (value.get('u') ?? '').split(',');
  if (!users.every(isUserId)) return { reason: 'malformed user id' };
  return { couponId, epoch, firstSequence, acceptedMs, users, endpoint: endpointOf(value.get('p')) };
}

/**
 * Reads what an entry of any version holds.
 *
 * @param fields names and values in turn, as Redis gives them
 * @returns null when it names no coupon: no release ever answers anybody with such an entry. Its users may be names that this
 *   release takes for none; no request can name them here, and their sequences are taken all the same
 */
export function readAllocation(fields: readonly string[]): Allocation | Undecodable | null {
  const value = valuesOf(fields);
  const couponId = wholeIn(value.get('c'), 1, ID_MAX);
  if (couponId === null) return null;
  const firstSequence = wholeIn(value.get('s'), 1, ID_MAX);
  const users = (value.get('u') ?? '').split(',');
  // A higher sequence must be left for the next issue, and an owner needs a name.
  const isDecodable =
    firstSequence !== null && firstSequence <= ID_MAX - users.length && users.every((user) => user !== '');
  return isDecodable ? { couponId, firstSequence, users } : { couponId, undecodable: true };
}

/** The fields of an entry, as `readEntry` reads them. */
export function writeEntry(entry: Entry): string[] {
  const { couponId, epoch, firstSequence, acceptedMs, users, endpoint } = entry;
  const head = { v: entryVersion(users), c: couponId, e: epoch, s: firstSequence, t: acceptedMs };
  const named = Object.entries(head).flatMap(([name, value]) => [name, String(value)]);
  return [...named, ...(endpoint ? ['p', String(endpointNumber(endpoint))] : []), 'u', users.join(',')];
}

function valuesOf(fields: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) values.set(fields[i] ?? '', fields[i + 1] ?? '');
  return values;
}

function wholeIn(text: string | undefined, minimum: number, maximum: number): number | null {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value >= minimum && value <= maximum ? value : null;
}
