// drain.ts -- From the stream to MySQL: deliver at least once, write idempotently, settle only after the commit.
//
// A transient failure (an outage of any length, a deadlock, a full disk) is retried forever and never taken for bad data. What
// can never be written goes to the dead stream, found by bisecting its batch, so that one bad entry holds up no other.

import { type Entry, readEntry, readAllocation, writeEntry } from '../src/stream/entry.ts';
import type { PartitionKeys } from '../src/stream/keys.ts';
import { issuesOf, type Written, writeEntries } from '../src/ledger/ledger.ts';
import type { DeadIssue, Issue } from '../src/ledger/plan.ts';
import { type DeadLetter, settle, type SettledEntry } from '../src/stream/scripts/settle.ts';
import type { Config } from '../src/config/config.ts';
import { holdOrphan } from '../src/operations/orphans.ts';
import type { RedisStock } from '../src/stock/redis-stock.ts';
import { InvariantViolation } from '../src/invariant.ts';
import { inSpan, issuesText, ROOT_CONTEXT } from '../src/telemetry/tracing.ts';
import { type Database, isOnVitess } from '../src/mysql/database.ts';
import { errorNumber, isDataFault } from '../src/mysql/faults.ts';
import type { Message } from './inbox.ts';
import { type RetryDependencies, retryUntilSuccess, Stopped } from './retry.ts';

/** Observes draining, for metrics and logs. */
export type DrainObserver = RetryDependencies['observer'] & {
  written(written: Written, entries: readonly Entry[], seconds: number): void;
  deadLetter(reason: string, users: number): void;
};

export interface DrainDependencies extends RetryDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  readonly keys: PartitionKeys;
  readonly settings: Pick<Config, 'ROWS_PER_TRANSACTION_MAX' | 'RETRY_MS_MAX'>;
  readonly observer: DrainObserver;
  /** Is given each entry before it is written. */
  readonly inHand?: (entry: Entry) => void;
}

/** Owners in one `look`. */
const OWNERS_PER_LOOK_MAX = 1000;

interface Readable {
  readonly id: string;
  readonly entry: Entry;
}

/**
 * Writes and settles messages, in transactions of at most `ROWS_PER_TRANSACTION_MAX` rows (or one entry).
 *
 * @throws Stopped when stopped between two tries; nothing is lost
 */
export async function drain(dependencies: DrainDependencies, messages: readonly Message[]): Promise<void> {
  const unreadable: SettledEntry[] = [];
  const letters: DeadLetter[] = [];
  const readable: Readable[] = [];
  for (const { id, fields } of messages) {
    // Null: deleted already.
    const entry = fields && readEntry(fields);
    if (!entry) unreadable.push({ id, users: 0 });
    else if ('reason' in entry) {
      unreadable.push({ id, users: usersIn(fields) });
      letters.push({ entryId: id, reason: entry.reason, fields });
    } else {
      dependencies.inHand?.(entry);
      readable.push({ id, entry });
    }
  }
  if (unreadable.length > 0) await settleAll(dependencies, unreadable, letters);
  if (readable.length === 0) return;
  const { database, settings } = dependencies;
  // The coupons of one transaction may be in several shards of Vitess, between which deadlocks are not found.
  const isSharded = await retryUntilSuccess(dependencies, () => isOnVitess(database));
  const perCoupon = Map.groupBy(readable, ({ entry }) => entry.couponId).values();
  for (const group of isSharded ? perCoupon : [readable]) {
    for (const chunk of chunksOf(group, settings.ROWS_PER_TRANSACTION_MAX)) await write(dependencies, chunk);
  }
}

/** In a span, that names the issues as the span of their batch does. */
function write(dependencies: DrainDependencies, chunk: readonly Readable[]): Promise<void> {
  const named = ({ entry: { couponId, firstSequence, users } }: Readable) =>
    issuesText(couponId, firstSequence, users.length);
  const options = () => ({ attributes: { 'coupon.issues': chunk.map(named) } });
  return inSpan('write', options, ROOT_CONTEXT, () => writeAndSettle(dependencies, chunk));
}

/** Users that an entry of any version holds: so many were counted as unpersisted when it was appended. */
function usersIn(fields: readonly string[]): number {
  const allocation = readAllocation(fields);
  return allocation && !('undecodable' in allocation) ? allocation.users.length : 0;
}

/** Consecutive entries together, up to a bound of rows; an entry above the bound is alone. */
export function* chunksOf<Item extends { readonly entry: Pick<Entry, 'users'> }>(
  readable: readonly Item[],
  rowsMax: number,
): Generator<readonly Item[]> {
  let chunk: Item[] = [];
  let rows = 0;
  for (const each of readable) {
    if (chunk.length > 0 && rows + each.entry.users.length > rowsMax) {
      yield chunk;
      chunk = [];
      rows = 0;
    }
    chunk.push(each);
    rows += each.entry.users.length;
  }
  if (chunk.length > 0) yield chunk;
}

async function writeAndSettle(dependencies: DrainDependencies, chunk: readonly Readable[]): Promise<void> {
  const { database, observer, stop } = dependencies;
  const entries = chunk.map(({ entry }) => entry);
  const startedMs = performance.now();
  let written: Written;
  try {
    written = await retryUntilSuccess(
      dependencies,
      () => writeEntries(database, entries, (older) => withdrawnAmong(dependencies, chunk, older)),
      isTransient,
    );
  } catch (failure) {
    if (isTransient(failure)) throw failure;
    // Bisecting takes many transactions; the entries stay in the stream and are found bad again after the start.
    if (stop.aborted) throw new Stopped('stopped before a bad entry was found', { cause: failure });
    return bisect(dependencies, chunk, failure);
  }
  observer.written(written, entries, (performance.now() - startedMs) / 1000);
  // Before they are settled: were we killed in between, the entries would not come again, and the state would stay.
  await dropAll(dependencies, [...written.renumbered, ...written.superseded]);
  await holdMissing(dependencies, written);
  const letters = written.dead.map((dead) => letterOf(dead, chunk));
  const { deleted } = await settleAll(dependencies, chunk.map(settledEntry), letters);
  const own = entries.filter((entry) => !written.withdrawn.includes(entry));
  await forgetStale(dependencies, written, deleted < own.length ? own : null);
}

/** Those whose dead letter was replayed or discarded since this worker read them: their sequences may have been given out again. */
async function withdrawnAmong(
  { redisStock, keys }: DrainDependencies,
  chunk: readonly Readable[],
  older: readonly Entry[],
): Promise<readonly Entry[]> {
  const asked = chunk.filter(({ entry }) => older.includes(entry));
  const marks = await redisStock.redis.zmscore(keys.withdrawn, ...asked.map(({ id }) => id));
  return asked.filter((_, i) => marks[i] !== null).map(({ entry }) => entry);
}

function settledEntry({ id, entry }: Readable): SettledEntry {
  return { id, users: entry.users.length };
}

/** Only what MySQL or our own invariants say of the data is final. */
function isTransient(failure: unknown): boolean {
  return !isDataFault(failure) && !(failure instanceof InvariantViolation);
}

/** Halves a batch that MySQL refuses until the one bad entry is alone. */
async function bisect(dependencies: DrainDependencies, chunk: readonly Readable[], failure: unknown): Promise<void> {
  const [only] = chunk;
  if (chunk.length > 1) {
    const middle = chunk.length >> 1;
    await writeAndSettle(dependencies, chunk.slice(0, middle));
    await writeAndSettle(dependencies, chunk.slice(middle));
  } else if (only) {
    const reason = failure instanceof InvariantViolation ? failure.message : `MySQL error ${errorNumber(failure)}`;
    const letter = { entryId: only.id, reason, fields: writeEntry(only.entry) };
    await settleAll(dependencies, [settledEntry(only)], [letter]);
  }
}

/** The dead letter of one issue: an entry of its own, so that it can be replayed under its sequence. */
function letterOf({ issue, reason }: DeadIssue, chunk: readonly Readable[]): DeadLetter {
  const { couponId, epoch, sequence: firstSequence, acceptedMs, endpoint, userId, erasedId = userId } = issue;
  const source = chunk.find(({ entry }) =>
    issuesOf(entry).some(
      (each) => each.couponId === couponId && each.userId === erasedId && each.sequence === firstSequence,
    ),
  );
  const fields = writeEntry({ couponId, epoch, firstSequence, acceptedMs, users: [userId], endpoint });
  if (!source) throw new InvariantViolation('P3: a dead issue comes from no entry');
  return { entryId: source.id, reason, fields };
}

async function settleAll(
  dependencies: DrainDependencies,
  entries: readonly SettledEntry[],
  deadLetters: readonly DeadLetter[],
) {
  const { redisStock, keys, observer } = dependencies;
  const settled = await retryUntilSuccess(
    dependencies,
    () => settle(redisStock.redis, { keys, entries, deadLetters }),
    (failure) => !(failure instanceof InvariantViolation),
  );
  for (const { reason, fields } of deadLetters) observer.deadLetter(reason, usersIn(fields));
  return settled;
}

/** Drops the states of the coupons of these issues, which contradict their rows. The next request opens them from the rows. */
async function dropAll(dependencies: DrainDependencies, issues: readonly Issue[]): Promise<void> {
  for (const couponId of new Set(issues.map((issue) => issue.couponId))) {
    await retryUntilSuccess(dependencies, () => dependencies.redisStock.drop(couponId));
  }
}

/** Stops what is still issued of coupons that MySQL does not have. */
async function holdMissing(dependencies: DrainDependencies, { dead }: Written): Promise<void> {
  const missing = new Set(dead.filter(({ reason }) => reason === 'no such coupon').map(({ issue }) => issue.couponId));
  for (const couponId of missing) {
    await retryUntilSuccess(dependencies, () => holdOrphan(dependencies.redisStock, couponId));
  }
}

/**
 * Drops the states of coupons that do not know rows of an earlier opening: Redis lost data, and was opened again without them.
 *
 * @param gone entries of which some were no longer in the stream when they were settled. Redis may have gone back to a time before
 *   them, and kept its epoch; and an opening that is just under way may have read the stream without them, and the rows before they
 *   were there
 */
async function forgetStale(
  dependencies: DrainDependencies,
  written: Written,
  gone: readonly Entry[] | null,
): Promise<void> {
  const { redisStock } = dependencies;
  const stale: Issue[] = [];
  const asked = gone === null ? written.older : gone.flatMap(issuesOf);
  for (const [couponId, issues] of Map.groupBy(asked, (issue) => issue.couponId)) {
    const known = await retryUntilSuccess(dependencies, () => knows(redisStock, couponId, issues));
    const isOlder = written.older.some((issue) => issue.couponId === couponId);
    const mayBeMissed = known === 'not open' && gone !== null;
    if (known === 'not all' || (mayBeMissed && isOlder)) stale.push(...issues.slice(0, 1));
    // A state that is not usable now may know what a MySQL that went back does not: only an opening under way is ended.
    else if (mayBeMissed) await retryUntilSuccess(dependencies, () => redisStock.interruptOpening(couponId));
  }
  await dropAll(dependencies, stale);
}

/** Whether Redis has every issue under its sequence. */
async function knows(
  redisStock: RedisStock,
  couponId: number,
  issues: readonly Issue[],
): Promise<'all' | 'not all' | 'not open'> {
  for (let i = 0; i < issues.length; i += OWNERS_PER_LOOK_MAX) {
    const page = issues.slice(i, i + OWNERS_PER_LOOK_MAX);
    const seen = await redisStock.look(
      couponId,
      page.map(({ userId }) => userId),
    );
    if (seen.kind === 'not open') return 'not open';
    if (page.some(({ userId, sequence }) => seen.owners.get(userId) !== sequence)) return 'not all';
  }
  return 'all';
}
