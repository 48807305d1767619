// quiet.ts -- Takes a state to its quiet end: every process in flight dies, then workers, reconciler and one request do their part.
//
// Everything that was accepted must then be a row or a dead letter, Redis and MySQL must agree, and a request must be answered:
// no state is a dead end.

import { lastSequence } from '../../src/coupon/coupon.ts';
import { settleIn } from './moving.ts';
import { openerSteps } from './openers.ts';
import { moveHomeBack, offerLost, operatorSteps, unknownIn } from './operators.ts';
import { drop, type Emit } from './issuers.ts';
import { applyEdit, take } from './scripts.ts';
import {
  countHolders,
  countOwners,
  heldBy,
  isAhead,
  isKept,
  isStranded,
  START,
  type State,
  type World,
} from './state.ts';
import { workerSteps } from './worker.ts';

/** More than any state needs. */
const ROUNDS_MAX = 12;

/** What is still wrong at the quiet end of a state; '' for nothing. Changes `s`. */
export function quietFault(s: State, world: World): string {
  if (world.isCalm) {
    // A state in which nobody is under way follows.
    if (isBusy(s)) return '';
  } else endAll(s, world);
  settleIn(s, world);
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    runWorker(s, world);
    // Where nobody dies the reconciler is not needed for these.
    if (unknownIn(s) > 0 && !world.isCalm) drop(s);
    if (isAhead(s)) moveHomeBack(s);
    offerLost(s);
    if (!world.isCalm) repair(s);
    if (!isServing(s) || isStranded(s)) open(s, world);
  }
  return faultIn(s);
}

function isBusy(s: State): boolean {
  const { openers, workers, locked, synchronous, editor, closer, discarding } = s;
  return [...openers, ...workers, locked, synchronous, editor, closer].some(({ at }) => at > 0) || discarding > 0;
}

/** Whoever is on the way dies; what it holds runs out. */
function endAll(s: State, world: World): void {
  const all: World = { ...world, may: new Set([...world.may, 'close', 'dead letters']) };
  for (let i = 0; i < 20; i += 1) {
    let ended = false;
    const end: Emit = (name, _who, change) => {
      if (ended || !/dies$|dies:$|arrives$/.test(name)) return;
      change(s);
      ended = true;
    };
    openerSteps(s, all, end);
    workerSteps(s, all, end);
    operatorSteps(s, all, end);
    if (!ended) break;
  }
  s.redis.opening = s.redis.lock = s.sql.lock = 0;
  s.synchronous = { at: 0, epoch: 0, forget: 0 };
  s.locked = { at: 0, server: 0, epoch: 0, version: 0, next: 0 };
  for (const user of s.users) {
    user.reserved = user.decided = 0;
    user.loaded.fill(0);
  }
  s.known = s.server;
}

function runWorker(s: State, world: World): void {
  const quiet: World = { ...world, may: new Set(), faultsMax: 0 };
  for (let i = 0; i < 8; i += 1) {
    let hasMoved = false;
    workerSteps(s, quiet, (name, _who, change) => {
      if (hasMoved || /dies/.test(name)) return;
      change(s);
      hasMoved = true;
    });
    if (!hasMoved || s.workers.every(({ at }) => at === 0)) break;
  }
}

/** The reconciler's repair of the settings cached in Redis. */
function repair(s: State): void {
  if (s.sql.exists === 0 || s.sql.home === 0 || s.redis.run !== s.server) return;
  const edit = { at: 3, kind: 5, aborted: 0, ...s.sql };
  if (applyEdit(s, edit) !== 'different') return;
  s.sql.version = Math.max(s.sql.version, s.redis.version) + 1;
  applyEdit(s, { ...edit, version: s.sql.version });
}

/** Whether requests need no opening. */
function isServing(s: State): boolean {
  if (s.sql.exists === 0 || s.sql.home === 0 || s.time >= s.sql.end || s.sql.epoch > 200) return true;
  return s.redis.run === s.server && countOwners(s) === s.redis.next - 1 - s.redis.gap;
}

/** One opener from beginning to end. */
function open(s: State, world: World): void {
  const quiet: World = { ...world, may: new Set(['open']), epochMax: 250 };
  for (let i = 0; i < 12; i += 1) {
    let hasMoved = false;
    openerSteps(s, quiet, (name, who, change) => {
      if (hasMoved || who > 0 || /dies|runs out/.test(name)) return;
      change(s);
      hasMoved = true;
    });
    if (!hasMoved || s.openers[0]?.at === 0) return;
  }
}

function faultIn(s: State): string {
  if (s.users.some((user) => user.stream > 0)) return 'P3: an accepted issue never becomes a row';
  if (s.users.some((user) => user.promised > 0 && !isKept(s, user)))
    return 'P3: at the quiet end a promised issue is nowhere';
  if (s.sql.exists === 1 && s.sql.home === 0 && s.redis.run === s.server)
    return 'P1: at the quiet end both stores give the stock out';
  if (s.sql.exists === 0 || s.sql.home === 0 || s.time >= s.sql.end) return '';
  if (!isServing(s)) return 'a dead end: the coupon cannot be opened';
  if (unknownIn(s) > 0) return 'P2: at the quiet end Redis does not know all issues';
  if (s.users.some((user) => user.owner > 0 && user.owner !== heldBy(user)))
    return 'P4: at the quiet end Redis has an owner without an issue';
  if (s.redis.version !== s.sql.version) return 'at the quiet end Redis has settings of another version';
  if (s.redis.until !== lastSequence(s.redis.next, countOwners(s), s.sql.total))
    return 'at the quiet end Redis has another total';
  if (s.time < START || s.redis.paused === 1) return '';
  const other = s.users.findIndex((user) => heldBy(user) === 0);
  if (other < 0) return '';
  const taken = take(s, [other]);
  const isSoldOut = typeof taken !== 'string' && taken[0] === 0;
  if (typeof taken === 'string') return `a dead end: a request is answered "${taken}"`;
  // The winner of this very request is counted too.
  return isSoldOut === countHolders(s) >= s.sql.total || !isSoldOut
    ? ''
    : 'P4: at the quiet end sold out while stock is left';
}
