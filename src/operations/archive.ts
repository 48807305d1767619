// archive.ts -- Moves the issues of a coupon that is over to a file, and back, so that an interruption anywhere is mended by a repetition.
//
// 1. The coupon is marked under its row lock: it has ended, its home is MySQL, nothing of it waits. From here on it is issued, opened,
//    edited and used no more, by no endpoint, and the ledger writes no row of it.
// 2. The file is written, with the instant of the mark. Each page is read with its rows locked: a use that began before the mark is waited for.
// 3. The rows are deleted in pages, each compared with the file under its lock.
// The way back writes the missing rows, compares all of them with the file, and takes the mark away last.

import { commandActor, record } from '../auth/audit-trail.ts';
import { and, asc, between, count, eq, gt, sql } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { lockCoupon, readCoupon, setArchived } from '../coupon/catalog.ts';
import type { Coupon } from '../coupon/coupon.ts';
import { readHighestSequence } from '../coupon/issue-rows.ts';
import { type Database, readFromPrimary, type Session, withTransaction } from '../mysql/database.ts';
import { OperatorError } from '../operator-error.ts';
import type { RedisStock } from '../stock/redis-stock.ts';
import { readKnownEpoch } from '../stock/restoring.ts';
import { waitingEntries } from '../stream/accepted.ts';
import { changesChannel } from '../stream/keys.ts';
import {
  type ArchivedRow,
  type ArchiveHead,
  isThere,
  lineOf,
  readArchive,
  verifyArchive,
  writeArchive,
} from './archive-file.ts';

export interface ArchiveDependencies {
  readonly redisStock: RedisStock;
  readonly database: Database;
  /** Gets each step that is done. */
  readonly say: (step: string) => void;
}

/** In the audit trail. */
const BY = commandActor('archive');
/** Rows in one transaction. */
const PAGE = 1000;

/**
 * Moves the issues of a coupon to a file; goes on where an earlier call for the same file was interrupted.
 *
 * @returns how many rows the file has
 * @throws OperatorError when the coupon or the file does not allow it; what the stores and the file system throw
 */
export async function archiveCoupon(
  dependencies: ArchiveDependencies,
  couponId: number,
  path: string,
): Promise<number> {
  const { database, say } = dependencies;
  const before = await readFromPrimary(database, (session) => readCoupon(session, couponId));
  if (!before) throw new OperatorError(`MySQL has no coupon ${couponId}`);
  if (before.archivedMs === null) {
    if (await isThere(path)) throw new OperatorError(`${path} already exists; choose another file with --file`);
    await refuseWaiting(dependencies.redisStock, couponId);
    await refuseMissingRows(database, before);
  }
  const head = await markArchived(dependencies, couponId);
  say('marked');
  if (await isThere(path)) await refuseOther(database, head, path);
  else {
    await refuseMissingRows(database, before);
    await writeArchive(path, head, lockedPages(database, couponId), say);
  }
  const rows = await deleteRows(dependencies, head, path);
  const left = await readFromPrimary(database, (session) => countRows(session, couponId));
  if (left > 0) throw new OperatorError(`coupon ${couponId} has ${left} rows that are not in ${path}`);
  return rows;
}

/**
 * Moves the issues of a file back; goes on where an earlier call was interrupted. The coupon is then as it was before it was archived.
 * Returns and throws as `archiveCoupon` does.
 */
export async function restoreArchive(dependencies: ArchiveDependencies, path: string): Promise<number> {
  const { database, say } = dependencies;
  const head = await verifyArchive(path);
  await refuseOther(database, head, path);
  say('verified');
  for await (const page of (await readArchive(path, PAGE)).pages) {
    await withTransaction(database, async (tx) => {
      await lockArchived(tx, head);
      await insertRows(tx, head.couponId, page);
    });
    say(`${page.at(-1)?.sequence} written`);
  }
  for await (const page of (await readArchive(path, PAGE)).pages) {
    const rows = await readFromPrimary(database, (session) => readRows(session, head.couponId, page));
    refuseDifferent(rows, page, path);
  }
  say('compared');
  await withTransaction(database, async (tx) => {
    const coupon = await lockArchived(tx, head);
    const rows = await countRows(tx, head.couponId);
    if (rows !== head.rows)
      throw new OperatorError(`coupon ${head.couponId} has ${rows} rows, and ${path} ${head.rows}`);
    await setArchived(tx, coupon, false);
    await record(tx, BY, { action: 'coupon.restore', couponId: head.couponId, from: null, to: { rows } });
  });
  await announce(dependencies.redisStock, head.couponId);
  return head.rows;
}

/** Step 1. Returns the mark, which may be that of an earlier call. */
async function markArchived({ redisStock, database }: ArchiveDependencies, couponId: number): Promise<ArchiveHead> {
  const archivedMs = await withTransaction(database, async (tx) => {
    const coupon = await lockCoupon(tx, couponId);
    if (!coupon) throw new OperatorError(`MySQL has no coupon ${couponId}`);
    if (coupon.archivedMs !== null) return coupon.archivedMs;
    const { nowMs } = await readHighestSequence(tx, couponId);
    if (nowMs < coupon.endMs) throw new OperatorError(`coupon ${couponId} has not ended`);
    if (coupon.stockHome === 'redis')
      throw new OperatorError(
        `coupon ${couponId} is still open in Redis; a worker closes it CLOSE_AFTER_MS after its end`,
      );
    if ((await readKnownEpoch(redisStock, couponId)) > coupon.epoch)
      throw new OperatorError(`MySQL is older than Redis: run \`bun run reconcile --coupon ${couponId}\` first`);
    await record(tx, BY, { action: 'coupon.archive', couponId, from: null, to: null });
    return (await setArchived(tx, coupon, true)).archivedMs ?? 0;
  });
  // What processes have cached of it says that it can be used.
  await announce(redisStock, couponId);
  return { couponId, archivedMs };
}

async function announce({ redis }: RedisStock, couponId: number): Promise<void> {
  await redis.publish(changesChannel(redis), String(couponId));
}

async function refuseWaiting({ redis, keysOf }: RedisStock, couponId: number): Promise<void> {
  for await (const { isDead, place } of waitingEntries(redis, keysOf(couponId), couponId)) {
    const what = isDead ? 'a dead letter' : 'an entry that waits for a worker';
    throw new OperatorError(`coupon ${couponId} has ${what}: ${place}`);
  }
}

async function refuseMissingRows(database: Database, { id, issuedQuantity }: Coupon): Promise<void> {
  const rows = await readFromPrimary(database, (session) => countRows(session, id));
  if (rows !== issuedQuantity)
    throw new OperatorError(
      `coupon ${id} has ${rows} rows of ${issuedQuantity}: name the file that has the others with --file, or run the audit`,
    );
}

/** A file of another coupon, of another archiving of it, or without all issues is not that of this coupon. */
async function refuseOther(database: Database, head: ArchiveHead, path: string): Promise<void> {
  const found = await verifyArchive(path);
  const coupon = await readFromPrimary(database, (session) => readCoupon(session, found.couponId));
  if (!coupon) throw new OperatorError(`MySQL has no coupon ${found.couponId}`);
  if (coupon.archivedMs === null) throw new OperatorError(`coupon ${coupon.id} is not archived`);
  const isSame = found.couponId === head.couponId && found.archivedMs === coupon.archivedMs;
  if (!isSame || found.rows !== coupon.issuedQuantity)
    throw new OperatorError(`${path} is of another coupon, or of another archiving of this one`);
}

/** Step 2. */
async function* lockedPages(database: Database, couponId: number): AsyncGenerator<readonly ArchivedRow[]> {
  for (let after = 0; ; ) {
    const from = after;
    const page = await withTransaction(database, async (tx) =>
      (
        await tx
          .select()
          .from(couponIssues)
          .where(and(eq(couponIssues.couponId, couponId), gt(couponIssues.sequence, from)))
          .orderBy(asc(couponIssues.sequence))
          .limit(PAGE)
          .for('update')
      ).map(toArchivedRow),
    );
    if (page.length > 0) yield page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.sequence ?? 0;
  }
}

/** Step 3. */
async function deleteRows({ database, say }: ArchiveDependencies, head: ArchiveHead, path: string): Promise<number> {
  let deleted = 0;
  for await (const page of (await readArchive(path, PAGE)).pages) {
    await withTransaction(database, async (tx) => {
      await lockArchived(tx, head);
      const rows = await readRows(tx, head.couponId, page);
      // By an earlier call.
      if (rows.length === 0) return;
      refuseDifferent(rows, page, path);
      await tx.delete(couponIssues).where(isWithin(head.couponId, page));
    });
    deleted += page.length;
    say(`${deleted} rows removed`);
  }
  return deleted;
}

/** Under the lock of its row, a coupon is archived by this very archiving, and neither way goes on beside the other. */
async function lockArchived(tx: Session, { couponId, archivedMs }: ArchiveHead): Promise<Coupon> {
  const coupon = await lockCoupon(tx, couponId);
  if (coupon?.archivedMs !== archivedMs) throw new OperatorError(`coupon ${couponId} was restored meanwhile`);
  return coupon;
}

function refuseDifferent(rows: readonly ArchivedRow[], page: readonly ArchivedRow[], path: string): void {
  // A file of an earlier release does not say by which endpoint.
  const known = page[0]?.endpoint === undefined ? rows.map((row) => ({ ...row, endpoint: undefined })) : rows;
  const lines = known.map(lineOf);
  const different = page.find((row, i) => lines[i] !== lineOf(row));
  if (different || lines.length !== page.length)
    throw new OperatorError(
      `the rows are not those of ${path}, at sequence ${different?.sequence ?? rows.at(-1)?.sequence}`,
    );
}

/** The rows between the first and the last of a page of the file. */
async function readRows(session: Session, couponId: number, page: readonly ArchivedRow[]) {
  const rows = await session
    .select()
    .from(couponIssues)
    .where(isWithin(couponId, page))
    .orderBy(asc(couponIssues.sequence));
  return rows.map(toArchivedRow);
}

function isWithin(couponId: number, page: readonly ArchivedRow[]) {
  const [first, last] = [page[0]?.sequence ?? 0, page.at(-1)?.sequence ?? 0];
  return and(eq(couponIssues.couponId, couponId), between(couponIssues.sequence, first, last));
}

async function insertRows(tx: Session, couponId: number, page: readonly ArchivedRow[]): Promise<void> {
  const instant = (ms: number) => new Date(ms);
  const rows = page.map(
    ({ sequence, userId, issuedMs, usedMs, reference, revokedMs, createdMs, updatedMs, endpoint = null }) => ({
      couponId,
      sequence,
      userId,
      dateIssued: instant(issuedMs),
      dateUsed: usedMs === null ? null : instant(usedMs),
      reference,
      dateRevoked: revokedMs === null ? null : instant(revokedMs),
      dateCreated: instant(createdMs),
      dateUpdated: instant(updatedMs),
      endpoint,
    }),
  );
  // One that is there already is compared later.
  await tx
    .insert(couponIssues)
    .values(rows)
    .onDuplicateKeyUpdate({ set: { dateUsed: sql`date_used` } });
}

async function countRows(session: Session, couponId: number): Promise<number> {
  const [row] = await session.select({ rows: count() }).from(couponIssues).where(eq(couponIssues.couponId, couponId));
  return row?.rows ?? 0;
}

function toArchivedRow(row: typeof couponIssues.$inferSelect): ArchivedRow {
  const { sequence, userId, dateIssued, dateUsed, reference, dateRevoked, dateCreated, dateUpdated, endpoint } = row;
  return {
    sequence,
    userId,
    issuedMs: dateIssued.getTime(),
    usedMs: dateUsed?.getTime() ?? null,
    reference,
    revokedMs: dateRevoked?.getTime() ?? null,
    createdMs: dateCreated.getTime(),
    updatedMs: dateUpdated.getTime(),
    endpoint,
  };
}
