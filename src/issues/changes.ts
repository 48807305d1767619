// changes.ts -- Every change of an issue after it was written: it is used, its use is undone, it is revoked. Nothing else changes a row.
//
// A change is decided by the row under its lock, and written only over what was decided by: of two at the same time exactly one is
// first, and the other is decided by what the first one left. The worker that writes a row again changes nothing of it (ledger.ts).

import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { type Actor, record } from '../auth/audit-trail.ts';
import { readCoupon } from '../coupon/catalog.ts';
import { type UsablePeriod, usablePeriod } from '../coupon/terms.ts';
import { formatInstant } from '../http/instant.ts';
import { invariant } from '../invariant.ts';
import type { Session } from '../mysql/database.ts';
import { type Row, rowColumns, toRow, toWrittenIssue, type WrittenIssue } from './row.ts';
import type { EventKind } from '../webhooks/events.ts';
import { recordEvent } from '../webhooks/outbox.ts';

/** What is to become of an issue. `reference` is what it is used for; null where the caller names nothing. */
export type IssueChange =
  | { readonly kind: 'use'; readonly reference: string | null }
  | { readonly kind: 'undo use'; readonly reference: string | null; readonly by: Actor }
  | { readonly kind: 'revoke'; readonly reason: string; readonly by: Actor };

/**
 * How a change ended. `done`: the issue is as it was to be, by this change, or by an earlier use with the same reference. `already used`: also
 * with another reference than that of the undoing.
 */
type Decision = 'done' | Refused;
type Refused = 'already used' | 'not usable' | 'not used' | 'revoked';

/** The end of a change, with the issue as it is then. */
export type ChangeResult =
  | { readonly kind: 'not exist' | 'not issued' | 'archived' }
  | { readonly kind: 'done'; readonly issue: WrittenIssue }
  | { readonly kind: Refused; readonly issue: WrittenIssue };

/**
 * Changes the issue of a user, in a transaction of the caller.
 *
 * @returns null when there is no row
 * @throws what MySQL throws; then nothing is changed
 */
export async function changeIssue(
  tx: Session,
  couponId: number,
  userId: string,
  change: IssueChange,
): Promise<ChangeResult | null> {
  const row = await lockRow(tx, couponId, userId);
  if (!row) return null;
  // After the lock, for which archiving waits once it has marked the coupon: either it sees the change, or we see the mark.
  const coupon = await readCoupon(tx, couponId);
  if (!coupon) return { kind: 'not exist' };
  if (coupon.archivedMs !== null) return { kind: 'archived' };
  const kind = decideChange(row, usablePeriod(coupon, row.issuedMs), change);
  const isSameUse = change.kind === 'use' && row.usedMs !== null;
  const after = kind === 'done' && !isSameUse ? await write(tx, couponId, row, change) : row;
  return { kind, issue: toWrittenIssue(after, coupon) };
}

/** The rules. `row.nowMs` is the instant of the change. */
export function decideChange(row: Row, period: UsablePeriod, change: IssueChange): Decision {
  if (row.revokedMs !== null) return 'revoked';
  switch (change.kind) {
    case 'use':
      if (row.usedMs === null) return isWithin(period, row.nowMs) ? 'done' : 'not usable';
      // A caller whose answer was lost asks again; without a reference it cannot be told from another caller.
      return change.reference !== null && change.reference === row.reference ? 'done' : 'already used';
    case 'undo use':
      if (row.usedMs === null) return 'not used';
      return change.reference === row.reference ? 'done' : 'already used';
    case 'revoke':
      return row.usedMs === null ? 'done' : 'already used';
  }
}

function isWithin({ usableFromMs, usableUntilMs }: UsablePeriod, nowMs: number): boolean {
  return (usableFromMs === null || nowMs >= usableFromMs) && (usableUntilMs === null || nowMs < usableUntilMs);
}

async function lockRow(tx: Session, couponId: number, userId: string): Promise<Row | null> {
  const [row] = await tx
    .select(rowColumns)
    .from(couponIssues)
    .where(and(eq(couponIssues.userId, userId), eq(couponIssues.couponId, couponId)))
    .for('update');
  return row ? toRow(row) : null;
}

/** Writes a change that was decided, with what belongs to it in the same transaction. Returns the row as it is then. */
async function write(tx: Session, couponId: number, row: Row, change: IssueChange): Promise<Row> {
  const after = { ...row, ...membersAfter(change, row.nowMs) };
  const instantOf = (ms: number | null) => (ms === null ? null : new Date(ms));
  const [{ affectedRows }] = await tx
    .update(couponIssues)
    .set({
      dateUsed: instantOf(after.usedMs),
      reference: after.reference,
      dateRevoked: instantOf(after.revokedMs),
      dateUpdated: sql`UTC_TIMESTAMP(3)`,
    })
    .where(
      and(
        eq(couponIssues.couponId, couponId),
        eq(couponIssues.sequence, row.sequence),
        row.usedMs === null ? isNull(couponIssues.dateUsed) : isNotNull(couponIssues.dateUsed),
        isNull(couponIssues.dateRevoked),
      ),
    );
  invariant(affectedRows === 1, 'an issue changed under the lock of its row');
  if (change.kind !== 'use') await recordChange(tx, couponId, row, change);
  await recordEvent(tx, { kind: eventKinds[change.kind], couponId, sequence: row.sequence });
  return after;
}

/** What receivers of webhooks hear of a change. */
const eventKinds = {
  use: 'issue.used',
  'undo use': 'issue.use_undone',
  revoke: 'issue.revoked',
} as const satisfies Record<IssueChange['kind'], EventKind>;

function membersAfter(change: IssueChange, nowMs: number): Partial<Row> {
  if (change.kind === 'use') return { usedMs: nowMs, reference: change.reference };
  return change.kind === 'undo use' ? { usedMs: null, reference: null } : { revokedMs: nowMs };
}

/** By the number of the issue, and without references: both may lead to a person, and the audit trail is kept. */
function recordChange(
  tx: Session,
  couponId: number,
  { sequence, usedMs }: Row,
  change: Exclude<IssueChange, { readonly kind: 'use' }>,
): Promise<void> {
  const [action, from, to] =
    change.kind === 'revoke'
      ? (['issue.revoke', { status: 'ISSUED' }, { status: 'REVOKED', reason: change.reason }] as const)
      : (['issue.undo-use', { status: 'USED', dateUsed: formatInstant(usedMs ?? 0) }, { status: 'ISSUED' }] as const);
  return record(tx, change.by, { action, couponId, from: { sequence, ...from }, to: { sequence, ...to } });
}
