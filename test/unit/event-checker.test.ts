// event-checker.test.ts -- The checker of webhooks is believed only because each of its verdicts is passed on events that deserve it.

import { expect, test } from 'bun:test';
import { type EventKind, eventKinds, type WebhookEvent } from '../../src/webhooks/events.ts';
import type { Change, Sent } from '../change-histories.ts';
import {
  type Arrival,
  checkEvents,
  type EventChanges,
  type EventFacts,
  type EventVerdict,
  type Received,
} from '../event-checker.ts';

/** Three issues of coupon 1, of which two are changed, the second once the first is answered. Coupon 2 ended, and coupon 3 sold out. */
const sent = (change: Change, answer: string | null = 'done'): Sent => ({ change, answer });
const first: EventChanges = {
  couponId: 1,
  sequence: 1,
  startMs: 1000,
  endMs: 1100,
  phases: [[sent('use A')], [sent('use A')], [sent('undo A')], [sent('revoke')]],
  end: 'revoked',
};
const second: EventChanges = {
  couponId: 1,
  sequence: 2,
  startMs: 1200,
  endMs: Infinity,
  phases: [[sent('use'), sent('use A', null)]],
  end: 'used',
};
const user = (couponId: number, sequence: number) => ({ couponId, sequence, userIds: [`user-${sequence}`] });
const facts: EventFacts = {
  coupons: [
    { id: 1, total: null, startMs: 0, endMs: 1_000_000 },
    { id: 2, total: 5, startMs: 0, endMs: 2000 },
    { id: 3, total: 1, startMs: 0, endMs: 1_000_000 },
  ],
  otherIds: new Set([9]),
  rows: [user(1, 1), user(1, 2), { ...user(1, 4), userIds: ['erased-4', 'user-4'] }, user(3, 1)],
  changes: [first, second],
  overMs: 5000,
  wentBackMs: 0,
  lostIds: new Set(),
};

const event = (id: string, type: EventKind, data: WebhookEvent['data']): WebhookEvent => {
  return { id, type, timestamp: '2026-12-01T01:00:00.000Z', data: { couponId: Number(id.split(':')[0]), ...data } };
};
const created = (couponId: number, sequence: number, userId = `user-${sequence}`) =>
  event(`${couponId}:issue:${sequence}`, 'issue.created', { sequence, userId });
const changed = (position: number, type: EventKind, sequence: number, userId: string | null = `user-${sequence}`) =>
  event(`1:event:${position}`, type, { sequence, userId });
const ended = event('2:event:1', 'coupon.ended', {});
const soldOut = event('3:event:1', 'coupon.sold_out', { totalQuantity: 1 });
const used = changed(1, 'issue.used', 1);
const undone = changed(2, 'issue.use_undone', 1);
const revoked = changed(3, 'issue.revoked', 1);
const usedLater = changed(4, 'issue.used', 2);

const right = [created(1, 1), created(1, 2), used, undone, created(1, 4), revoked, usedLater];
const rest = [created(3, 1), soldOut, ended];

const arrive = (events: readonly WebhookEvent[], atMs = 3000, isTaken = true): Arrival[] =>
  events.map((each) => ({ event: each, atMs, isTaken }));
const receivedOf = (arrivals: readonly Arrival[], kinds: readonly EventKind[] = eventKinds): Received => {
  return { kinds, arrivals, forged: [] };
};
const verdictsOn = (
  arrivals: readonly Arrival[],
  changedFacts: Partial<EventFacts> = {},
  kinds: readonly EventKind[] = eventKinds,
) => checkEvents({ ...facts, ...changedFacts }, receivedOf(arrivals, kinds)).map(({ verdict }) => verdict);

const withoutCreated = eventKinds.filter((kind) => kind !== 'issue.created');
const good: readonly (readonly [string, readonly WebhookEvent[]])[] = [
  ['every event, in order', right],
  ['some come again, after others', [...right, created(1, 1), used, ...right]],
  ['a request that is sent again together with what follows it', [created(1, 1), ...right]],
  ['the id of a user before and after they were erased', [...right, created(1, 4, 'erased-4')]],
  ['a use before other issues', [created(1, 1), used, undone, revoked, created(1, 2), usedLater, created(1, 4)]],
  ['events of a coupon that is not judged', [...right, created(9, 1)]],
];

test.each([...good])('nothing is wrong: %s', (_, events) => {
  expect(verdictsOn(arrive([...events, ...rest]))).toEqual([]);
});

test('nothing is wrong: no rows for a receiver that wants none', () => {
  expect(verdictsOn(arrive([used, undone, revoked, usedLater, soldOut, ended]), {}, withoutCreated)).toEqual([]);
});

test('nothing is wrong: a change whose answer is missing was made, or was not', () => {
  const lost: EventChanges = { ...second, phases: [[sent('use', null)]] };
  expect(verdictsOn(arrive([...right, ...rest]), { changes: [first, lost] })).toEqual([]);
  const never: EventChanges = { ...lost, end: 'issued' };
  expect(verdictsOn(arrive([...right.slice(0, -1), ...rest]), { changes: [first, never] })).toEqual([]);
});

const without = (...events: readonly WebhookEvent[]) => right.filter((each) => !events.includes(each));
const bad: readonly (readonly [string, readonly WebhookEvent[], readonly EventVerdict[]])[] = [
  ['an issue without its event', right.toSpliced(1, 1), ['missing']],
  ['a use without its event', without(usedLater), ['missing']],
  ['an undone use without its event', without(undone), ['missing']],
  ['a change without any', without(used, undone, revoked), ['missing']],
  ['an issue after a later one', [created(1, 2), created(1, 1), ...right.slice(2)], ['out of order']],
  [
    'a use before its issue',
    [created(1, 1), used, undone, revoked, usedLater, created(1, 2), created(1, 4)],
    ['out of order'],
  ],
  ['an undone use before the use', [...right.slice(0, 2), undone, used, ...right.slice(4)], ['out of order']],
  [
    'a change before those of another issue that had ended when it was sent',
    [created(1, 1), created(1, 2), used, undone, usedLater, created(1, 4), revoked],
    ['out of order'],
  ],
  ['an issue that is no row', [...right, created(1, 5)], ['invented']],
  [
    'an issue of somebody else',
    [...right.slice(0, 4), created(1, 4, 'user-5'), ...right.slice(5)],
    ['invented', 'missing'],
  ],
  ['an issue of somebody else, sent again', [...right, created(1, 1, 'user-5')], ['invented']],
  ['a use of an issue that nobody asked for', [...right, changed(5, 'issue.used', 4, 'user-4')], ['invented']],
  ['a use of an issue that is no row', [...right, changed(5, 'issue.used', 7)], ['invented', 'invented']],
  [
    'a use that was sent twice with the same reference is two events',
    [...right, changed(5, 'issue.used', 1)],
    ['invented', 'out of order'],
  ],
  ['a use of nobody', [...right.slice(0, -1), changed(4, 'issue.used', 2, null)], ['invented']],
  ['an id of two events', [...right.slice(0, -1), changed(3, 'issue.used', 2)], ['altered']],
  ['a coupon that does not exist', [...right, created(8, 1)], ['invented']],
  ['sold out with stock left', [...right, event('2:event:2', 'coupon.sold_out', {})], ['invented']],
];

test.each([...bad])('is accused: %s', (_, events, verdicts) => {
  expect(verdictsOn(arrive([...events, ...rest])).toSorted()).toEqual([...verdicts].toSorted());
});

test('is accused: a coupon that ended or sold out, and did not say so, or said so too early', () => {
  expect(verdictsOn(arrive([...right, created(3, 1)]))).toEqual(['missing', 'missing']);
  expect(verdictsOn([...arrive([ended], 1900), ...arrive([...right, created(3, 1), soldOut])])).toEqual(['invented']);
});

test('is accused: a kind that the receiver does not want', () => {
  expect(verdictsOn(arrive([...right, ...rest]), {}, withoutCreated)).toEqual([
    'invented',
    'invented',
    'invented',
    'invented',
  ]);
});

test('is accused: an event that came only in a request that was not taken', () => {
  expect(verdictsOn([...arrive([...right.slice(0, -1), ...rest]), ...arrive([usedLater], 3000, false)])).toEqual([
    'missing',
  ]);
  expect(verdictsOn([...arrive([...right, ...rest], 3000, false), ...arrive([...right, ...rest])])).toEqual([]);
});

test('is accused: a wrong signature', () => {
  const received = { ...receivedOf(arrive([...right, ...rest])), forged: ['msg_1'] };
  expect(checkEvents(facts, received).map(({ verdict }) => verdict)).toEqual(['forged']);
});

test('what a MySQL that went back has lost is no accusation, and all later events are judged', () => {
  const wentBackMs = 900;
  const lost = { wentBackMs, lostIds: new Set([3]) };
  const before = [
    ...[1, 2, 4].map((sequence) => created(1, sequence)),
    created(3, 1, 'user-before'),
    changed(1, 'issue.revoked', 4),
    changed(2, 'issue.used', 4),
  ];
  const after = [...right, ...rest];
  expect(verdictsOn([...arrive(before, 800), ...arrive(after)], lost)).toEqual([]);
  expect(verdictsOn([...arrive(before, 800), ...arrive(after)], { ...lost, lostIds: new Set() })).toContain('invented');
  expect(verdictsOn([...arrive(before, 950), ...arrive(after)], lost)).toContain('altered');
  expect(verdictsOn([...arrive(before, 800), ...arrive(without(usedLater)), ...arrive(rest)], lost)).toContain(
    'missing',
  );
});
