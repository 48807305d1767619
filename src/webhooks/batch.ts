// batch.ts -- The next events of a coupon for one webhook, in order: rows by sequence, events of the outbox by position, and what
// happened to an issue after the row of the issue itself.

import { and, asc, eq, gt, inArray, lte } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { outbox } from '../../drizzle/webhook-tables.ts';
import { readCoupon } from '../coupon/catalog.ts';
import { type Database, readFromPrimary, type Session } from '../mysql/database.ts';
import { type EventKind, eventOf, type WebhookEvent } from './events.ts';

/** How far events of a coupon were delivered. */
export interface Cursor {
  readonly sequence: number;
  readonly position: number;
}

export interface Batch {
  /** None where nothing that the webhook wants is ready. */
  readonly events: readonly WebhookEvent[];
  /** The cursor once they are delivered. */
  readonly next: Cursor;
}

export interface BatchRequest {
  readonly couponId: number;
  readonly kinds: readonly EventKind[];
  readonly cursor: Cursor;
  /** The highest row, and up to which sequence no row can still appear. */
  readonly reach: { readonly highest: number; readonly certain: number };
  readonly eventsMax: number;
}

/** Reads the next events. Throws what MySQL throws. */
export function nextBatch(database: Database, request: BatchRequest): Promise<Batch> {
  return readFromPrimary(database, async (session) => {
    const { couponId, cursor, eventsMax } = request;
    const rows = await readRows(session, request);
    const sequence = reachedBy(rows, request);
    const left = eventsMax - rows.length;
    const found = left === 0 ? [] : await readOutbox(session, request, left);
    const early = found.findIndex((event) => event.sequence > sequence);
    const end = early === -1 || (await mayPassRows(session, request)) ? -1 : early;
    const taken = end === -1 ? found : found.slice(0, end);
    const created = rows.map((row) =>
      eventOf(`${couponId}:issue:${row.sequence}`, 'issue.created', row.dateIssued.getTime(), {
        couponId,
        sequence: row.sequence,
        userId: row.userId,
      }),
    );
    const events = [...created, ...(await toEvents(session, request, taken))];
    return { events, next: { sequence, position: taken.at(-1)?.position ?? cursor.position } };
  });
}

const wantsRows = ({ kinds }: BatchRequest) => kinds.includes('issue.created');

function readRows(session: Session, request: BatchRequest) {
  const { couponId, cursor, reach, eventsMax } = request;
  if (!wantsRows(request) || reach.certain <= cursor.sequence) return [];
  return session
    .select({ sequence: couponIssues.sequence, userId: couponIssues.userId, dateIssued: couponIssues.dateIssued })
    .from(couponIssues)
    .where(
      and(
        eq(couponIssues.couponId, couponId),
        gt(couponIssues.sequence, cursor.sequence),
        lte(couponIssues.sequence, reach.certain),
      ),
    )
    .orderBy(asc(couponIssues.sequence))
    .limit(eventsMax);
}

/** Whether events of the outbox need not wait for rows: the webhook wants none, or they were moved to a file. */
async function mayPassRows(session: Session, request: BatchRequest): Promise<boolean> {
  if (!wantsRows(request)) return true;
  if (request.reach.highest > 0) return false;
  // Without rows it may also be that the first ones come just now.
  const coupon = await readCoupon(session, request.couponId);
  return coupon === null || coupon.archivedMs !== null;
}

/** Up to which sequence all rows are delivered with this batch. */
function reachedBy(rows: readonly { readonly sequence: number }[], request: BatchRequest): number {
  const { cursor, reach, eventsMax } = request;
  if (!wantsRows(request)) return cursor.sequence;
  return rows.length === eventsMax ? (rows.at(-1)?.sequence ?? 0) : Math.max(cursor.sequence, reach.certain);
}

/** An event of the outbox with its position. */
type Positioned = Pick<typeof outbox.$inferSelect, 'kind' | 'sequence' | 'facts' | 'dateCreated'> & {
  readonly position: number;
};

/** Also kinds that the webhook does not want: its cursor passes them. */
async function readOutbox(session: Session, { couponId, cursor }: BatchRequest, limit: number): Promise<Positioned[]> {
  const rows = await session
    .select()
    .from(outbox)
    .where(and(eq(outbox.couponId, couponId), gt(outbox.position, cursor.position)))
    .orderBy(asc(outbox.position))
    .limit(limit);
  return rows.flatMap(({ position, ...row }) => (position === null ? [] : [{ ...row, position }]));
}

async function toEvents(session: Session, { couponId, kinds }: BatchRequest, found: readonly Positioned[]) {
  const wanted = found.flatMap((event) => {
    const kind = kinds.find((each) => each === event.kind);
    return kind === undefined ? [] : [{ ...event, kind }];
  });
  const sequences = wanted.filter(isOfIssue).map(({ sequence }) => sequence);
  const owners =
    sequences.length === 0
      ? []
      : await session
          .select({ sequence: couponIssues.sequence, userId: couponIssues.userId })
          .from(couponIssues)
          .where(and(eq(couponIssues.couponId, couponId), inArray(couponIssues.sequence, sequences)));
  const userOf = new Map(owners.map(({ sequence, userId }) => [sequence, userId]));
  return wanted.map((event) => {
    const { kind, position, sequence, facts, dateCreated } = event;
    // The user is not in the outbox, so that erasing one changes the row alone; null once the coupon is archived.
    const issue = isOfIssue(event) ? { couponId, sequence, userId: userOf.get(sequence) ?? null } : { couponId };
    const more = facts === null ? {} : (JSON.parse(facts) as Readonly<Record<string, unknown>>);
    return eventOf(`${couponId}:event:${position}`, kind, dateCreated.getTime(), { ...issue, ...more });
  });
}

function isOfIssue({ kind }: { readonly kind: string }): boolean {
  return kind.startsWith('issue.');
}
