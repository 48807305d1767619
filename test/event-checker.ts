// event-checker.ts -- Holds what a receiver of webhooks was sent against what happened: rows, changes of issues, coupons. Every accusation comes
// with its evidence.
//
// What docs/webhooks.md promises is judged by the first arrival of each event: one that is sent again comes later, and is allowed.

import type { EventKind, WebhookEvent } from '../src/webhooks/events.ts';
import { explanations, type Sent, type State } from './change-histories.ts';
import type { HistoryCoupon } from './checker.ts';

/** `altered`: an event that is sent again is another one. */
export const eventVerdicts = ['missing', 'out of order', 'invented', 'altered', 'forged'] as const;
export type EventVerdict = (typeof eventVerdicts)[number];

export interface EventAccusation {
  readonly verdict: EventVerdict;
  readonly evidence: string;
}

/** An event in one request. */
export interface Arrival {
  readonly event: WebhookEvent;
  readonly atMs: number;
  /** Whether the request was answered 2xx. */
  readonly isTaken: boolean;
}

/** What one receiver was sent, in the order in which it came. */
export interface Received {
  readonly kinds: readonly EventKind[];
  readonly arrivals: readonly Arrival[];
  /** Ids of requests with a wrong signature. */
  readonly forged: readonly string[];
}

/** A row, with every id that its user has or had. */
export interface EventRow {
  readonly couponId: number;
  readonly sequence: number;
  readonly userIds: readonly string[];
}

/** What was asked of one issue after it was written. */
export interface EventChanges {
  readonly couponId: number;
  readonly sequence: number;
  readonly startMs: number;
  /** Infinite where an answer is missing. */
  readonly endMs: number;
  readonly phases: readonly (readonly Sent[])[];
  readonly end: State;
}

export interface EventFacts {
  readonly coupons: readonly HistoryCoupon[];
  /** Coupons whose events are not judged. */
  readonly otherIds: ReadonlySet<number>;
  readonly rows: readonly EventRow[];
  /** Of all issues that were changed. */
  readonly changes: readonly EventChanges[];
  /** Coupons that ended before this instant must have said so. */
  readonly overMs: number;
  /** Until when MySQL went back to a copy, 0 for never: what happened before that may be lost there after it was sent. */
  readonly wentBackMs: number;
  /** Coupons whose rows may be lost so, too. */
  readonly lostIds: ReadonlySet<number>;
}

/** MySQL and the receivers read the same clock, in milliseconds. */
const CLOCK_MS_MAX = 2;

/** An event when it came first. */
interface First {
  readonly event: WebhookEvent;
  /** Its place among all first arrivals. */
  readonly place: number;
  readonly atMs: number;
  isTaken: boolean;
  /** Of every time it came: an id changes when its user is erased. */
  readonly userIds: Set<unknown>;
}

/** What is wrong with what a receiver was sent. */
export function checkEvents(facts: EventFacts, { kinds, arrivals, forged }: Received): EventAccusation[] {
  const found: EventAccusation[] = forged.map((id) => accuse('forged', `the signature of request ${id} is wrong`));
  const judged = new Set(facts.coupons.map(({ id }) => id));
  const firsts = firstArrivals(arrivals, facts, found).filter(({ event }) => {
    const couponId = Number(event.data['couponId']);
    if (!judged.has(couponId) && !facts.otherIds.has(couponId)) found.push(accuse('invented', textOf(event)));
    if (!kinds.includes(event.type)) found.push(accuse('invented', `${textOf(event)} is of no wanted kind`));
    return judged.has(couponId);
  });
  const firstsOf = Map.groupBy(firsts, ({ event }) => Number(event.data['couponId']));
  const rowsOf = Map.groupBy(facts.rows, ({ couponId }) => couponId);
  const changesOf = Map.groupBy(facts.changes, ({ couponId }) => couponId);
  for (const coupon of facts.coupons) {
    const rows = rowsOf.get(coupon.id) ?? [];
    const changes = changesOf.get(coupon.id) ?? [];
    const sent = firstsOf.get(coupon.id) ?? [];
    const isLost = (atMs: number) => atMs <= facts.wentBackMs && facts.lostIds.has(coupon.id);
    found.push(
      ...sent.filter(({ isTaken }) => !isTaken).map(({ event }) => accuse('missing', `${textOf(event)} was not taken`)),
      ...wrongCreated({ rows, sent, isLost, isWanted: kinds.includes('issue.created') }),
      ...wrongChanges(rows, changes, sent, facts.wentBackMs),
      ...wrongCouponEvents({ coupon, issued: rows.length, sent, kinds, overMs: facts.overMs, isLost }),
    );
  }
  return found;
}

const accuse = (verdict: EventVerdict, evidence: string): EventAccusation => ({ verdict, evidence });
const textOf = ({ id, type, data }: WebhookEvent) => `${type} ${id} ${JSON.stringify(data)}`;
const sequenceOf = ({ event }: First) => Number(event.data['sequence']);

/** Each event once, in the order in which they came. */
function firstArrivals(arrivals: readonly Arrival[], { wentBackMs }: EventFacts, found: EventAccusation[]): First[] {
  const firsts = new Map<string, First>();
  const byId = new Map<string, First>();
  for (const { event, atMs, isTaken } of arrivals) {
    // A MySQL that went back gives the ids of events that it lost again.
    const key = `${event.id} ${event.type} ${String(event.data['sequence'])}`;
    const known = firsts.get(key);
    if (known) {
      known.isTaken ||= isTaken;
      known.userIds.add(event.data['userId']);
      continue;
    }
    const first = { event, place: firsts.size, atMs, isTaken, userIds: new Set([event.data['userId']]) };
    const other = byId.get(event.id);
    if (other && other.atMs > wentBackMs)
      found.push(accuse('altered', `${textOf(event)} was ${textOf(other.event)} before`));
    byId.set(event.id, first);
    firsts.set(key, first);
  }
  return [...firsts.values()];
}

interface CreatedQuestion {
  readonly rows: readonly EventRow[];
  readonly sent: readonly First[];
  readonly isLost: (atMs: number) => boolean;
  readonly isWanted: boolean;
}

/** Every row has its event, in order of sequence, and nothing else has one. */
function wrongCreated({ rows, sent, isLost, isWanted }: CreatedQuestion): EventAccusation[] {
  const found: EventAccusation[] = [];
  const rowOf = new Map(rows.map((row) => [row.sequence, row]));
  const missing = new Map(isWanted ? rowOf : []);
  let highest = 0;
  for (const first of sent) {
    if (first.event.type !== 'issue.created') continue;
    const sequence = sequenceOf(first);
    const row = rowOf.get(sequence);
    if (!isOfRow(first, row) && !isLost(first.atMs)) found.push(accuse('invented', textOf(first.event)));
    if (sequence < highest) found.push(accuse('out of order', `${textOf(first.event)} came after ${highest}`));
    highest = Math.max(highest, sequence);
    if (row?.userIds.some((userId) => first.userIds.has(userId))) missing.delete(sequence);
  }
  for (const row of missing.values()) found.push(accuse('missing', `issue.created ${JSON.stringify(row)}`));
  return found;
}

/** Whether an event names the user of a row, whenever it came. */
function isOfRow({ userIds }: First, row: EventRow | undefined): boolean {
  return row !== undefined && [...userIds].every((userId) => row.userIds.some((id) => id === userId));
}

/** Every change that was made has its event, in the order in which they were made, and nothing else has one. */
function wrongChanges(
  rows: readonly EventRow[],
  changes: readonly EventChanges[],
  sent: readonly First[],
  wentBackMs: number,
): EventAccusation[] {
  const found: EventAccusation[] = [];
  const created = new Map(sent.filter(({ event }) => event.type === 'issue.created').map((e) => [sequenceOf(e), e]));
  const ofIssues = sent.filter(({ event: { type } }) => type.startsWith('issue.') && type !== 'issue.created');
  const bySequence = Map.groupBy(ofIssues, sequenceOf);
  const rowOf = new Map(rows.map((row) => [row.sequence, row]));
  const changeOf = new Map(changes.map((change) => [change.sequence, change]));
  for (const [sequence, events] of bySequence) {
    const isCreatedLater = events.some(({ place }) => place < (created.get(sequence)?.place ?? -1));
    if (isCreatedLater) found.push(accuse('out of order', `a change of ${sequence} came before its issue.created`));
    // What was changed before MySQL went back may be lost, with its history.
    for (const first of events)
      if (first.atMs > wentBackMs && !isOfRow(first, rowOf.get(sequence)))
        found.push(accuse('invented', textOf(first.event)));
  }
  const judged = changes.filter(({ startMs }) => startMs > wentBackMs);
  for (const change of judged) {
    const types = (bySequence.get(change.sequence) ?? []).map(({ event }) => event.type);
    const verdict = verdictOn(types, change);
    if (verdict) found.push(accuse(verdict, `${types.join(', ') || 'nothing'} of ${JSON.stringify(change)}`));
  }
  for (const { event, atMs } of ofIssues) {
    const isAsked = changeOf.has(Number(event.data['sequence']));
    if (!isAsked && atMs > wentBackMs) found.push(accuse('invented', `${textOf(event)}: nobody asked for it`));
  }
  const judgedOf = new Map(judged.map((change) => [change.sequence, change]));
  return [...found, ...wrongOrder(ofIssues, judgedOf)];
}

/** Null where some order of the changes has exactly these events. */
function verdictOn(types: readonly string[], { phases, end }: EventChanges): EventVerdict | null {
  const possible = [...explanations('issued', phases, end)];
  // Answers and row that contradict each other are a finding about these, not about events.
  if (possible.length === 0 || possible.some((events) => Bun.deepEquals(events, types))) return null;
  const sorted = types.toSorted();
  if (possible.some((events) => Bun.deepEquals(events.toSorted(), sorted))) return 'out of order';
  return possible.some((events) => isPartOf(types, events)) ? 'missing' : 'invented';
}

/** Whether all of `part` is in `whole`, in that order. */
function isPartOf(part: readonly string[], whole: readonly string[]): boolean {
  let next = 0;
  for (const each of whole) if (each === part[next]) next += 1;
  return next === part.length;
}

/** Of two issues of a coupon: where all changes of one were answered before the first of the other was sent, its events come first. */
function wrongOrder(events: readonly First[], changeOf: ReadonlyMap<number, EventChanges>): EventAccusation[] {
  const found: EventAccusation[] = [];
  let latest: EventChanges | null = null;
  for (const first of events) {
    const change = changeOf.get(sequenceOf(first));
    if (!change) continue;
    if (latest !== null && change.endMs < latest.startMs)
      found.push(accuse('out of order', `${textOf(first.event)} came after a change of ${latest.sequence}`));
    if (latest === null || change.startMs > latest.startMs) latest = change;
  }
  return found;
}

interface CouponQuestion {
  readonly coupon: HistoryCoupon;
  /** Its rows. */
  readonly issued: number;
  readonly sent: readonly First[];
  readonly kinds: readonly EventKind[];
  readonly overMs: number;
  readonly isLost: (atMs: number) => boolean;
}

/** A coupon that ended or sold out has said so, and no other. */
function wrongCouponEvents({ coupon, issued, sent, kinds, overMs, isLost }: CouponQuestion): EventAccusation[] {
  const { id, total, endMs } = coupon;
  const isSoldOut = total !== null && issued >= total;
  const ofKind = (kind: EventKind) => sent.filter(({ event }) => event.type === kind);
  const [ended, soldOut] = [ofKind('coupon.ended'), ofKind('coupon.sold_out')];
  const isMissing = (kind: EventKind, events: readonly First[]) => kinds.includes(kind) && events.length === 0;
  return [
    ...ended
      .filter(({ atMs }) => atMs < endMs - CLOCK_MS_MAX)
      .map(({ event }) => accuse('invented', `${textOf(event)} came before the end`)),
    ...soldOut
      .filter(({ atMs }) => !isSoldOut && !isLost(atMs))
      .map(({ event }) => accuse('invented', `${textOf(event)} of ${issued} issues`)),
    ...(endMs <= overMs && isMissing('coupon.ended', ended) ? [accuse('missing', `coupon.ended of ${id}`)] : []),
    ...(isSoldOut && isMissing('coupon.sold_out', soldOut) ? [accuse('missing', `coupon.sold_out of ${id}`)] : []),
  ];
}
