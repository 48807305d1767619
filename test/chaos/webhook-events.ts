// webhook-events.ts -- Beside the crowd, receivers of webhooks are sent everything that happens; in the end, what they got is held against rows
// and changes.

import { coupons } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { TimedOut, waitUntil } from '../../tools/stack/wait-until.ts';
import type { HistoryRow } from '../checker.ts';
import { checkEvents, type EventAccusation, type EventFacts, eventVerdicts } from '../event-checker.ts';
import { changedIssues, type Changers } from './changers.ts';
import type { Cluster } from './cluster.ts';
import type { Crowd } from './crowd.ts';
import { nameWithdrawn } from './withdrawals.ts';

export interface EventReport {
  /** That arrived, with those that came again. */
  readonly events: number;
  readonly requests: number;
  /** That a receiver did not take; those that found no connection are not counted. */
  readonly notTaken: number;
  readonly outages: number;
  readonly accusations: readonly EventAccusation[];
}

/** A gap in the sequences of a coupon is held back for a minute where Redis failed over. */
const DELIVERED_MS_MAX = 150_000;

/** Registers the receivers. Before it nothing may have happened. */
export async function registerReceivers({ apis: [api], receivers }: Cluster): Promise<void> {
  if (!api) throw new Error('there is no API');
  for (const receiver of receivers) await receiver.register(api);
}

/** Waits until every event has arrived, and judges what did. Call it when all that was accepted is rows. */
export async function auditEvents(
  cluster: Cluster,
  crowd: Crowd,
  changers: Changers,
  rows: readonly HistoryRow[],
): Promise<EventReport> {
  const { receivers } = cluster;
  await Promise.all(receivers.map((receiver) => receiver.heal()));
  const facts = await readFacts(cluster, crowd, changers, rows);
  let accusations: EventAccusation[] = [];
  const isDelivered = () => {
    accusations = receivers.flatMap((receiver) => checkEvents(facts, receiver));
    return accusations.every(({ verdict }) => verdict !== 'missing');
  };
  try {
    await waitUntil('every event to arrive', isDelivered, { waitMsMax: DELIVERED_MS_MAX, pauseMs: 500 });
  } catch (error) {
    // What is missing is a finding, told beside all others.
    if (!(error instanceof TimedOut)) throw error;
  }
  const sum = (of: 'requests' | 'notTaken' | 'outages') =>
    receivers.reduce((total, { counts }) => total + counts[of], 0);
  const events = receivers.reduce((total, { arrivals }) => total + arrivals.length, 0);
  return { events, requests: sum('requests'), notTaken: sum('notTaken'), outages: sum('outages'), accusations };
}

async function readFacts(
  { database }: Cluster,
  crowd: Crowd,
  changers: Changers,
  rows: readonly HistoryRow[],
): Promise<EventFacts> {
  const mine = new Set(crowd.coupons.map(({ id }) => id));
  const named = await nameWithdrawn(database, crowd, rows);
  const stored = await withConnection(database, (session) => session.select({ id: coupons.id }).from(coupons));
  return {
    coupons: crowd.coupons,
    otherIds: new Set(stored.map(({ id }) => id).filter((id) => !mine.has(id))),
    rows: rows.map(({ couponId, sequence, userId }, i) => {
      const userIds = [...new Set([userId, named[i]?.userId ?? userId])];
      return { couponId, sequence, userIds };
    }),
    changes: await changedIssues(database, changers.histories, 0),
    overMs: Date.now(),
    wentBackMs: crowd.wentBackMs,
    lostIds: crowd.lostIds,
  };
}

/** What is to be read at the end of a run, one line. */
export function eventLine({ events, requests, notTaken, outages, accusations }: EventReport): string {
  const counts = eventVerdicts.map(
    (verdict) => `${verdict} ${accusations.filter((each) => each.verdict === verdict).length}`,
  );
  return (
    `  webhooks: ${events} events in ${requests} requests, of which ${notTaken} were not taken, ` +
    `${outages} outages of receivers; ${counts.join(', ')}`
  );
}
