// scripts.ts -- The Lua scripts on a coupon's stock and stream, each as one step: what it compares, what it writes, what it replies.
//
// Each function stands for the script of its name in `src/stock/scripts` or `src/stream/scripts`, with the same order of checks.

import { checkPeriod, lastSequence } from '../../src/coupon/coupon.ts';
import { acknowledge } from './consumers.ts';
import { holds, isLeftOut } from './guards.ts';
import { countOwners, type Edit, type Opener, START, type State, type User, WITHDRAWN } from './state.ts';

const isWhole = (s: State): boolean => countOwners(s) === s.redis.next - 1 - s.redis.gap;

/** Whether the state counts for a caller that knows the server `known`; what `take`, `look` and `put` ask first. */
function isUsable(s: State, known: number): boolean {
  if (s.redis.run === 0 || s.redis.next === 0) return false;
  if (!holds('take: the state is of the server that the caller knows', s.redis.run === known)) return false;
  if (!holds('take: the server is the one that the caller knows', known === s.server)) return false;
  return holds('take: as many owners as issues', isWhole(s));
}

/** Why nobody can get the coupon now, by the state in Redis. */
function refusalNow(s: State): 'paused' | 'not started' | 'ended' | null {
  const stock = { startMs: START, endMs: s.redis.end, paused: s.redis.paused === 1 };
  const kind = checkPeriod(stock, s.time)?.kind;
  return kind === 'paused' || kind === 'not started' || kind === 'ended' ? kind : null;
}

/** One number per user: above zero the sequence just issued, below zero that which the user has, zero when the stock is gone. */
export type Decided = readonly number[];

/** take.lua */
export function take(s: State, users: readonly number[]): 'not open' | 'paused' | 'not started' | 'ended' | Decided {
  if (!isUsable(s, s.known)) return 'not open';
  const refused = refusalNow(s);
  if (refused) return refused;
  const first = s.redis.next;
  const outcomes: number[] = [];
  for (const u of users) {
    const user = s.users[u];
    if (!user) continue;
    if (user.owner > 0) outcomes.push(-user.owner);
    else if (s.redis.next > s.redis.until) outcomes.push(0);
    else {
      user.owner = s.redis.next;
      appendEntry(s, u, s.redis.next, first, s.redis.epoch);
      outcomes.push(s.redis.next);
      s.redis.next += 1;
    }
  }
  return outcomes;
}

/** XADD of one user's part of an entry. */
function appendEntry(s: State, u: number, sequence: number, first: number, epoch: number): void {
  const user = s.users[u];
  if (!user) return;
  Object.assign(user, { stream: sequence, first, epoch });
}

/** look.lua, for `locked`: what it read, or that the coupon is not open. */
export function look(s: State): 'not open' | { next: number; until: number; epoch: number; version: number } {
  if (!isUsable(s, s.known)) return 'not open';
  const { next, until, epoch, version } = s.redis;
  return { next, until, epoch, version };
}

/** put.lua: writes what `locked` decided, if nothing has changed since it looked. */
export function put(s: State): 'written' | 'changed' | 'lost' {
  const { redis, locked } = s;
  if (!holds('put: the lock is still held', redis.lock === 1)) return 'lost';
  if (redis.run === 0) return 'changed';
  if (!holds('put: the epoch is the one that was read', redis.epoch === locked.epoch)) return 'changed';
  if (!holds('put: the version is the one that was read', redis.version === locked.version)) return 'changed';
  if (!holds('put: the next sequence is the one that was read', redis.next === locked.next)) return 'changed';
  const same = redis.run === locked.server && locked.server === s.server;
  if (!holds('put: the server is the one that was read', same)) return 'changed';
  if (!isWhole(s)) return 'changed';
  if (!holds('put: the period is not over', s.time >= START && s.time < redis.end)) return 'changed';
  const winners = s.users.filter((user) => user.decided > 0).length;
  if (!holds('put: the stock is not lowered', locked.next - 1 + winners <= redis.until)) return 'changed';
  for (const [u, user] of s.users.entries()) {
    if (user.decided === 0) continue;
    user.owner = user.decided;
    appendEntry(s, u, user.decided, locked.next, redis.epoch);
  }
  redis.next = locked.next + winners;
  return 'written';
}

/** begin-opening.lua: `known` is the server as the opener has just asked it. */
export function beginOpening(s: State, p: number): 'open' | 'busy' | 'begun' | 'unproven' | 'failed' {
  const { redis } = s;
  // A state without its fields: arithmetic on nothing.
  if (redis.run !== 0 && redis.next === 0) return 'failed';
  const whole = redis.run !== 0 && holds('begin-opening: as many owners as issues', isWhole(s));
  if (whole && holds('begin-opening: the state is of this server', redis.run === s.server)) return 'open';
  if (!holds('begin-opening: no other opening', redis.opening === 0)) return 'busy';
  redis.opening = p + 1;
  return whole ? 'unproven' : 'begun';
}

/** load-owners.lua: adds what an opener read to what it has gathered. */
export function loadOwners(s: State, p: number, read: (u: number) => number): 'loaded' | 'superseded' {
  if (!holds('load-owners: the lease is still held', s.redis.opening === p + 1)) return 'superseded';
  for (const [u, user] of s.users.entries()) user.loaded[p] = read(u) || (user.loaded[p] ?? 0);
  return 'loaded';
}

/** finish-opening.lua: swaps in what was gathered. */
export function finishOpening(s: State, p: number, opener: Opener): 'opened' | 'superseded' | 'incomplete' {
  const { redis } = s;
  if (!holds('finish-opening: the lease is still held', redis.opening === p + 1)) return 'superseded';
  const gathered = s.users.filter((user) => (user.loaded[p] ?? 0) > 0).length;
  if (!holds('finish-opening: all owners are there', gathered === opener.owners)) return 'incomplete';
  const next = opener.next;
  for (const user of s.users) {
    user.owner = user.loaded[p] ?? 0;
    user.loaded[p] = 0;
  }
  s.redis = {
    run: opener.server,
    next,
    until: lastSequence(next, opener.owners, opener.total),
    gap: next - 1 - opener.owners,
    epoch: opener.epoch,
    version: opener.version,
    paused: opener.paused,
    end: opener.end,
    opening: 0,
    lock: redis.lock,
  };
  return 'opened';
}

/** prove-state.lua */
export function proveState(s: State, p: number, server: number): 'opened' | 'superseded' {
  if (!holds('prove-state: the lease is still held', s.redis.opening === p + 1)) return 'superseded';
  // HSET makes a hash of it where there is none.
  s.redis.run = server;
  s.redis.opening = 0;
  return 'opened';
}

/** end-opening.lua */
export function endOpening(s: State, p: number): void {
  if (s.redis.opening === p + 1) s.redis.opening = 0;
  for (const user of s.users) user.loaded[p] = 0;
}

/** A dead letter of one issue, and one of a whole entry. */
export const OWN_LETTER = 1;
export const WHOLE_ENTRY = 2;

/** settle.lua: ends what worker `w` has in hand; returns whether some of it was gone already. */
export function settle(s: State, w: number): 'all deleted' | 'some were gone' {
  let wereGone = false;
  for (const user of s.users) {
    const hand = user.hand[w] ?? 0;
    if (hand === 0) continue;
    const isThere = user.stream === hand && user.gone[w] === 0;
    const letter = user.letter[w] ?? 0;
    if (letter > 0 && holds('settle: a dead letter only of an entry that is there', isThere)) {
      user.dead = hand;
      for (const audit of s.audits) if (audit.at > 0) audit.buried = 1;
    }
    if (isThere) acknowledge(user);
    if (!isThere) wereGone = true;
    else if (letter === WHOLE_ENTRY) user.stream = 0;
    else if (letter === OWN_LETTER) Object.assign(user, { stream: 0, first: hand });
    else user.stream = user.first = user.epoch = 0;
  }
  return wereGone ? 'some were gone' : 'all deleted';
}

/** Those who are in the dead letter of user `u`. */
export function inLetterOf(s: State, u: number): readonly User[] {
  const letter = s.users[u];
  return s.users.filter((user) => user.dead > 0 && user.first === letter?.first && user.epoch === letter.epoch);
}

/** replay.lua: a dead letter goes back into the stream, so that an opener must read again. */
export function replay(s: State, u: number): void {
  for (const user of inLetterOf(s, u)) {
    // A new entry: workers that have the former one in hand cannot settle it.
    withdraw(user);
    user.stream = user.dead;
    user.dead = 0;
  }
  if (!isLeftOut('replay: the lease of an opener ends')) s.redis.opening = 0;
}

/** What replay.lua and discard.lua leave for workers that have the entry of a dead letter in hand. */
function withdraw(user: User): void {
  for (const w of user.hand.keys()) {
    if (user.hand[w] === user.dead && user.under[w] === user.epoch) user.gone[w] = WITHDRAWN;
  }
}

/** XDEL of a dead letter: its users are promised nothing any more. */
export function giveUpLetter(s: State, u: number): void {
  for (const user of inLetterOf(s, u)) {
    // It is not lost, to an audit that looked before.
    user.given.fill(0);
    withdraw(user);
    user.dead = user.first = user.epoch = user.promised = 0;
    if (s.offers > 0 && !isLeftOut('discard: what is remembered of it is not offered')) user.reserved = 0;
  }
}

/** discard.lua: a dead letter is given up, and with it the state that counts its users as owners. */
export function discard(s: State, u: number): void {
  giveUpLetter(s, u);
  dropState(s, false);
}

/** Whether an edit may be compared with the settings cached in Redis. */
function isEditable(s: State): boolean {
  const { redis } = s;
  if (redis.run === 0) return false;
  return holds('apply-edit: the state is of the server that the caller knows', redis.run === s.known && isWhole(s));
}

/** apply-edit.lua: brings the settings cached in Redis to a version that MySQL has committed, if it is newer. */
export function applyEdit(s: State, edit: Edit): 'not open' | 'same' | 'different' | 'applied' {
  const { redis } = s;
  if (!isEditable(s)) return 'not open';
  const issued = redis.next - 1 - redis.gap;
  const until = redis.gap + Math.max(edit.total, issued);
  const same = redis.until === until && redis.end === edit.end && redis.paused === edit.paused;
  if (redis.version === edit.version && same) return 'same';
  if (!holds('apply-edit: the version is newer', redis.version < edit.version)) return 'different';
  Object.assign(redis, { until, end: edit.end, paused: edit.paused, version: edit.version });
  return 'applied';
}

/** lower-total.lua */
export function lowerTotal(s: State, edit: Edit): 'not open' | 'issued' | 'other version' | 'lowered' {
  const { redis } = s;
  if (!isEditable(s)) return 'not open';
  if (!holds('lower-total: the version is the one in MySQL', redis.version === edit.version)) return 'other version';
  const issued = redis.next - 1 - redis.gap;
  const total = edit.total - 1;
  if (!holds('lower-total: no more were issued', total >= issued)) return 'issued';
  redis.until = Math.min(redis.until, redis.gap + total);
  return 'lowered';
}

/** close.lua: frees what Redis holds of a coupon that is over. */
export function close(s: State, epoch: number): 'closed' | 'changed' {
  if (!holds('close: the epoch is not later', s.redis.run === 0 || s.redis.epoch <= epoch)) return 'changed';
  dropState(s, isLeftOut('close: the lease of an opener ends too'));
  for (const user of s.users) user.owner = 0;
  return 'closed';
}

/** remove-unissued.lua */
export function removeUnissued(s: State): 'closed' | 'issued' | 'not open' {
  if (!isEditable(s)) return 'not open';
  if (!holds('remove: nothing was issued in Redis', countOwners(s) === 0)) return 'issued';
  dropState(s, isLeftOut('remove: the lease of an opener ends too'));
  for (const user of s.users) user.owner = 0;
  return 'closed';
}

/** UNLINK of the state and, unless `keepLease`, of the opening lease. Owners stay: an opening replaces them. */
export function dropState(s: State, keepLease: boolean): void {
  const { opening, lock } = s.redis;
  for (const name of Object.keys(s.redis) as (keyof State['redis'])[]) s.redis[name] = 0;
  s.redis.lock = lock;
  if (keepLease) s.redis.opening = opening;
}
