// audit-trail.ts -- The audit trail: a row for each change by an operator, added with the change and never changed afterwards.
//
// A change of MySQL and its row are one transaction. A change of Redis is recorded before it is made: so none is missing, and a row may
// stand for a change that then failed. Only a change of what is logged is recorded afterwards, since it is needed while MySQL is away.

import { and, desc, eq, isNull, lt } from 'drizzle-orm';
import { auditTrail } from '../../drizzle/schema.ts';
import type { Page } from '../http/pagination.ts';
import { type Database, readFromPrimary, type Session, withConnection } from '../mysql/database.ts';

/** Who changes something. */
export interface Actor {
  /** The id of an API key; null for ADMIN_API_KEY and for commands. */
  readonly keyId: number | null;
  /** The name of the key, or `ADMIN_API_KEY`, or `command:` and the name of a command. */
  readonly name: string;
  /** Where the request came from, as rate limits count it; null for commands. */
  readonly address: string | null;
}

/** A program of this repository that acts for nobody in particular. */
export const SYSTEM: Actor = { keyId: null, name: 'system', address: null };

/** Who works with a command. */
export function commandActor(command: string): Actor {
  return { keyId: null, name: `command:${command}`, address: null };
}

type Action =
  | 'coupon.create'
  | 'coupon.edit'
  | 'coupon.delete'
  | 'coupon.open'
  | 'coupon.archive'
  | 'coupon.restore'
  | 'coupon.discard'
  | 'issue.undo-use'
  | 'issue.revoke'
  | 'codes.generate'
  | 'codes.import'
  | 'dead-letter.replay'
  | 'dead-letter.discard'
  | 'key.create'
  | 'key.revoke'
  | 'partitions.change'
  | 'logging.change'
  | 'user.erase'
  | 'webhook.create'
  | 'webhook.edit'
  | 'webhook.delete'
  | 'webhook.replay';

/** Values as JSON. No secrets, and no user ids but pseudonyms. */
type Facts = Readonly<Record<string, unknown>>;

export interface Change {
  readonly action: Action;
  /** Null for what is of no coupon. */
  readonly couponId: number | null;
  /** What changed, before; null where there was nothing. */
  readonly from: Facts | null;
  /** The same, afterwards; null where nothing is left. */
  readonly to: Facts | null;
}

/** One row. */
export interface TrailEntry extends Change, Actor {
  readonly id: number;
  readonly atMs: number;
}

/** Records changes that are not MySQL's; call it before the change. */
export type RecordChange = (by: Actor, change: Change) => Promise<void>;

/** Records a change in its transaction. Throws what MySQL throws. */
export async function record(tx: Session, by: Actor, { action, couponId, from, to }: Change): Promise<void> {
  const textOf = (facts: Facts | null) => facts && JSON.stringify(facts);
  await tx.insert(auditTrail).values({
    couponId: couponId ?? NO_COUPON,
    keyId: by.keyId,
    actor: by.name,
    address: by.address,
    action,
    changedFrom: textOf(from),
    changedTo: textOf(to),
  });
}

/** Records a change that is not MySQL's. Throws what MySQL throws, and then the change must not be made. */
export function recordIn(database: Database): RecordChange {
  return (by, change) => withConnection(database, (session) => record(session, by, change));
}

/** The members that differ, as they were and as they are. */
export function differences(before: Facts, after: Facts): Pick<Change, 'from' | 'to'> {
  const names = Object.keys(after).filter((name) => before[name] !== after[name]);
  const pick = (facts: Facts) => Object.fromEntries(names.map((name) => [name, facts[name]]));
  return { from: pick(before), to: pick(after) };
}

/** Which rows are asked for. */
export interface TrailFilter extends Page {
  readonly couponId: number | null;
  /** The id of an API key, or the name of an actor without one. */
  readonly key: string | null;
}

/** At most `limit` rows, the newest first, with ids below `after`; 0: from the newest. */
export async function listTrail(
  database: Database,
  { after, limit, couponId, key }: TrailFilter,
): Promise<readonly TrailEntry[]> {
  const rows = await readFromPrimary(database, (session) =>
    session
      .select()
      .from(auditTrail)
      .where(
        and(
          after > 0 ? lt(auditTrail.id, after) : undefined,
          couponId === null ? undefined : eq(auditTrail.couponId, couponId),
          key === null ? undefined : isBy(key),
        ),
      )
      .orderBy(desc(auditTrail.id))
      .limit(limit),
  );
  return rows.map(({ id, couponId: coupon, keyId, actor, address, action, changedFrom, changedTo, dateCreated }) => {
    const facts = { from: factsOf(changedFrom), to: factsOf(changedTo) };
    // A later release may know more actions.
    const change = { action: action as Action, couponId: coupon === NO_COUPON ? null : coupon, ...facts };
    return { id, atMs: dateCreated.getTime(), keyId, name: actor, address, ...change };
  });
}

/** In the column `coupon_id` for what is of no coupon: on Vitess it says in which shard a row is, so it is never NULL. */
const NO_COUPON = 0;

function isBy(key: string) {
  return /^\d+$/.test(key)
    ? eq(auditTrail.keyId, Number(key))
    : and(isNull(auditTrail.keyId), eq(auditTrail.actor, key));
}

function factsOf(text: string | null): Facts | null {
  return text === null ? null : (JSON.parse(text) as Facts);
}
