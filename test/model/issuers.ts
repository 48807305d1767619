// issuers.ts -- The three issuers: what a request does in MySQL or Redis, and its answer, which may be lost on its way.
//
// Stands for `src/issuing/{synchronous,locked,scripted}.ts`. A batch has one user or two, in either order.

import { decide, lastSequence } from '../../src/coupon/coupon.ts';
import { holds, isLeftOut } from './guards.ts';
import { type Decided, dropState, look, put, take } from './scripts.ts';
import {
  countHolders,
  countOwners,
  countRows,
  highestRow,
  isAhead,
  isStranded,
  START,
  type State,
  type World,
} from './state.ts';
import { writeEntries } from './ledger.ts';

/** Adds one step to those that can be taken now. */
export type Emit = (name: string, who: number, change: (n: State) => void) => void;

/** Every step of a request. */
export function issuerSteps(s: State, world: World, emit: Emit): void {
  for (const users of batchesOf(world.users)) {
    const who = users.reduce((number, u) => number * 10 + u + 1, 0);
    if (world.may.has('synchronous') && s.sql.lock === 0) mysqlSteps(s, users, who, emit);
    if (world.may.has('scripted')) takeSteps(s, users, who, emit);
    if (world.may.has('synchronous') && !world.may.has('nothing is reserved') && s.synchronous.at === 0) {
      emit('synchronous: takes in Redis for', who, (n) => reserve(n, users));
    }
    if (world.may.has('locked') && s.locked.at === 0 && s.redis.lock === 0) {
      emit('locked: gets the lock and looks for', who, (n) => lookFor(n, users));
    }
  }
  if (s.synchronous.at > 0) synchronousSteps(s, emit);
  if (s.locked.at > 0) lockedSteps(emit);
  if (s.redis.lock > 0) emit('the lock of `locked` runs out', 0, (n) => void (n.redis.lock = 0));
  // Another process that takes the lock, and then does nothing with it.
  if (world.may.has('locked') && s.redis.lock === 0 && s.locked.at > 0)
    emit('another process gets the lock', 0, (n) => void (n.redis.lock = 2));
}

const batches = new Map<number, readonly (readonly number[])[]>();

function batchesOf(users: number): readonly (readonly number[])[] {
  const known = batches.get(users);
  if (known) return known;
  const all: number[][] = [];
  for (let u = 0; u < users; u += 1) {
    all.push([u]);
    for (let v = 0; v < users; v += 1) if (v !== u) all.push([u, v]);
  }
  batches.set(users, all);
  return all;
}

/** `synchronous` while MySQL is the home: one transaction under the row lock. */
function mysqlSteps(s: State, users: readonly number[], who: number, emit: Emit): void {
  if (s.sql.exists === 0 || !holds('synchronous: the home is MySQL', s.sql.home === 0)) return;
  if (!holds('synchronous: the coupon is not archived', s.sql.archived === 0)) return;
  if (!holds('synchronous: Redis has no state of a later epoch', !isAhead(s))) return;
  if (!holds('synchronous: nothing of it waits in Redis', !isStranded(s))) return;
  emit('synchronous: issues in MySQL, answered, to', who, (n) => answerAll(n, users, issueInMysql(n, users)));
  emit('synchronous: issues in MySQL, reply lost, to', who, (n) => void issueInMysql(n, users));
}

export function issueInMysql(n: State, users: readonly number[]): Decided {
  const next = highestRow(n) + 1;
  const { paused, end, total } = n.sql;
  const until = lastSequence(next, countRows(n), total);
  const stock = { startMs: START, endMs: end, paused: paused === 1, next, until };
  const owners = new Map(n.users.flatMap((user, u) => (user.row > 0 ? [[String(u), user.row] as const] : [])));
  const { outcomes } = decide(stock, owners, users.map(String), n.time);
  return outcomes.map((outcome, i) => {
    const user = n.users[users[i] ?? 0];
    if (outcome.kind === 'already issued') return -outcome.sequence;
    if (outcome.kind !== 'issued' || !user) return outcome.kind === 'sold out' ? 0 : Number.NaN;
    user.row = outcome.sequence;
    return outcome.sequence;
  });
}

/** `scripted`: the script, and its answer. */
function takeSteps(s: State, users: readonly number[], who: number, emit: Emit): void {
  if (s.redis.run === 0) return;
  emit('take, answered, for', who, (n) => {
    const taken = takeWithin(n, users);
    if (typeof taken !== 'string') answerAll(n, users, taken);
  });
  emit('take, reply lost, for', who, (n) => void takeWithin(n, users));
}

export function takeWithin(n: State, users: readonly number[]): ReturnType<typeof take> {
  const taken = take(n, users);
  const hasIssued = typeof taken !== 'string' && taken.some((number) => number > 0);
  if (hasIssued) notePeriod(n);
  return taken;
}

/** P5, by the period in MySQL, to which an edit is committed before Redis hears of it. */
function notePeriod(n: State): void {
  if (n.time < START || n.time >= n.sql.end) n.wrong = 3;
  if (n.sql.exists === 0) n.wrong = 5;
  if (n.redis.paused === 1) n.wrong = 6;
}

/** `synchronous` on a stock in Redis: reserve there, write the rows itself, answer after the commit. */
function reserve(n: State, users: readonly number[]): void {
  const taken = takeWithin(n, users);
  if (typeof taken === 'string') return;
  for (const [i, u] of users.entries()) {
    const user = n.users[u];
    const number = taken[i] ?? 0;
    if (number > 0 && user) user.reserved = number;
    else answer(n, u, number);
  }
  n.synchronous = { at: 1, epoch: n.redis.epoch, forget: 0 };
}

function synchronousSteps(s: State, emit: Emit): void {
  emit('synchronous: dies', 0, endSynchronous);
  const isRefused = s.users.some((user) => user.reserved > 0 && user.reserved === user.bad);
  if (s.synchronous.at === 1 && s.sql.lock === 0 && !isRefused)
    emit('synchronous: writes its rows', 0, (n) => {
      const { users } = n;
      const { epoch } = n.synchronous;
      const issues = users.flatMap((user, u) => (user.reserved > 0 ? [{ u, sequence: user.reserved, epoch }] : []));
      const written = writeEntries(n, issues);
      // An issue that finds no stock is answered 503, and its whole batch with it.
      if (written.dead.length > 0) for (const user of users) user.reserved = 0;
      const changed = written.renumbered.length + written.superseded.length + written.older.length > 0;
      n.synchronous = { at: 2, epoch: 0, forget: changed ? 1 : 0 };
    });
  if (s.synchronous.at === 2 && s.synchronous.forget === 1)
    emit('synchronous: drops the state', 0, (n) => {
      if (!isLeftOut('synchronous: forget a state that does not know all rows')) drop(n);
      n.synchronous.forget = 0;
    });
  if (s.synchronous.at === 2 && s.synchronous.forget === 0)
    emit('synchronous: answers', 0, (n) => {
      for (const [u, user] of n.users.entries()) if (user.reserved > 0) answer(n, u, user.row || user.reserved);
      endSynchronous(n);
    });
}

function endSynchronous(n: State): void {
  n.synchronous = { at: 0, epoch: 0, forget: 0 };
  for (const user of n.users) user.reserved = 0;
}

/** dropState of opening.ts. */
export function drop(n: State): void {
  dropState(n, isLeftOut('drop: the lease of an opener ends too'));
}

/** `locked`: the lock, and the look that goes with it. */
function lookFor(n: State, users: readonly number[]): void {
  n.redis.lock = 1;
  const seen = look(n);
  if (seen === 'not open') return endLocked(n);
  const stock = {
    startMs: START,
    endMs: n.redis.end,
    paused: n.redis.paused === 1,
    next: seen.next,
    until: seen.until,
  };
  const owners = new Map(n.users.flatMap((user, u) => (user.owner > 0 ? [[String(u), user.owner] as const] : [])));
  const { outcomes, taken } = decide(stock, owners, users.map(String), n.time);
  for (const [i, outcome] of outcomes.entries()) {
    const u = users[i] ?? 0;
    const user = n.users[u];
    if (outcome.kind === 'issued' && user) user.decided = outcome.sequence;
    else if (outcome.kind === 'already issued') answer(n, u, -outcome.sequence);
    else if (outcome.kind === 'sold out' && taken.length === 0) answer(n, u, 0);
  }
  if (taken.length === 0) return endLocked(n);
  n.locked = { at: 1, server: n.known, epoch: seen.epoch, version: seen.version, next: seen.next };
}

function lockedSteps(emit: Emit): void {
  // The lock stays until it runs out.
  emit('locked: dies', 0, (n) => endLocked(n, false));
  emit('locked: puts, answered', 0, (n) => {
    const winners = n.users.map((user) => user.decided);
    if (putWithin(n)) for (const [u, sequence] of winners.entries()) if (sequence > 0) answer(n, u, sequence);
    endLocked(n);
  });
  emit('locked: puts, reply lost', 0, (n) => {
    putWithin(n);
    endLocked(n);
  });
}

function putWithin(n: State): boolean {
  const isWritten = put(n) === 'written';
  if (isWritten) notePeriod(n);
  return isWritten;
}

function endLocked(n: State, releases = true): void {
  n.locked = { at: 0, server: 0, epoch: 0, version: 0, next: 0 };
  if (releases && n.redis.lock === 1) n.redis.lock = 0;
  for (const user of n.users) user.decided = 0;
}

function answerAll(n: State, users: readonly number[], outcomes: Decided): void {
  for (const [i, u] of users.entries()) answer(n, u, outcomes[i] ?? Number.NaN);
}

/** The caller hears a number: see `Decided`; NaN for another refusal. */
export function answer(n: State, u: number, number: number): void {
  const user = n.users[u];
  if (!user || Number.isNaN(number)) return;
  if (number === 0) {
    if (isStockLeft(n)) n.wrong = 1;
    return;
  }
  const sequence = Math.abs(number);
  if (user.promised > 0 && user.promised !== sequence && n.lossy === 0) n.wrong = 2;
  user.promised = sequence;
}

/** Whether `sold out` would be wrong. While an edit is on its way to Redis, the settings there may still be the stricter ones. */
function isStockLeft(n: State): boolean {
  if (n.sql.exists === 0 || countHolders(n) >= n.sql.total) return false;
  if (n.edits === 0 || n.sql.home === 0) return true;
  const { until, next, version } = n.redis;
  return version === n.sql.version && until === lastSequence(next, countOwners(n), n.sql.total);
}
