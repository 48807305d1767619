// state.ts -- A small world of the protocol as plain numbers: one coupon, a few users, both stores, every process that may stop anywhere.
//
// Everything that is known of a user, by whatever store or process, stands in one record, so that users who differ in nothing can
// be exchanged. Sequences are 0 for none. All values fit a byte.

import { type Audit, newAudit } from './audit.ts';
import { type Erasing, newErasing } from './erasing.ts';
import { type Group, newGroup } from './consumers.ts';
import { newPlaces, type Places } from './moving.ts';

/** What each place knows of one user. */
export interface User {
  /** The sequence that a 2xx answer or a `DUPLICATED_COUPON_ISSUE` named. */
  promised: number;
  /** MySQL, `coupon_issues`. */
  row: number;
  /** Redis, hash `owners`. */
  owner: number;
  /** Redis, entry in the stream: this user's sequence; the first of the entry, dead letter or not, and the epoch it was accepted under. */
  stream: number;
  first: number;
  epoch: number;
  /** Redis, dead letter: sequence. */
  dead: number;
  /** A sequence under which MySQL refuses this user for good: bad data. */
  bad: number;
  /** Redis, the temporary hash of each opener. */
  loaded: number[];
  /**
   * Each worker: the sequence in hand, whether its row can never be (a dead letter to come), whether its entry is gone: 1, or `WITHDRAWN`
   * where an operator replayed or discarded its dead letter.
   */
  hand: number[];
  /** Each worker: the epoch of the entry in hand. */
  under: number[];
  letter: number[];
  gone: number[];
  /** `synchronous` on a stock in Redis, between reserving and writing. */
  reserved: number;
  /** `locked`, between reading and the fenced write. */
  decided: number;
  /** As of the backup. */
  saved: number[];
  /** In the other place of a world with two: owner, stream, first, epoch and dead. */
  away: number[];
  /** In a world with an audit: the sequence that Redis had given when it looked. */
  given: number[];
  /** In a world with archives: the sequence of a row that was moved to a file. */
  filed: number[];
  /** In a world with a consumer group: the worker that the entry is pending for, from 1; see consumers.ts. */
  pending: number[];
}

/** MySQL's row of the coupon. `lock`: whether the editor holds it across a call to Redis. */
export interface SqlCoupon {
  exists: number;
  /** 0 mysql, 1 redis. */
  home: number;
  epoch: number;
  version: number;
  total: number;
  paused: number;
  end: number;
  lock: number;
  /** Whether its rows are in a file, or on their way there or back. */
  archived: number;
}

/** The state hash of the coupon in Redis, with the opening lease (0 or the opener, from 1) and the Redlock lock. */
export interface RedisState {
  /** The server that wrote it, as the scripts compare it; 0: there is no state. */
  run: number;
  next: number;
  until: number;
  gap: number;
  epoch: number;
  version: number;
  paused: number;
  end: number;
  opening: number;
  lock: number;
}

/** What an opener found when it claimed the coupon. `at` counts its steps, see `opening.ts` here. */
export interface Opener {
  at: number;
  server: number;
  epoch: number;
  version: number;
  total: number;
  paused: number;
  end: number;
  next: number;
  owners: number;
}

/** An edit under way: the coupon as it read or committed it. */
export interface Edit {
  at: number;
  kind: number;
  aborted: number;
  version: number;
  total: number;
  paused: number;
  end: number;
}

export interface State {
  users: User[];
  sql: SqlCoupon;
  redis: RedisState;
  savedSql: SqlCoupon;
  savedRedis: RedisState;
  /** Whether there is a backup. */
  saved: number;
  /** The Redis that answers now; a restart, failover or restored backup makes another one. */
  server: number;
  /** The Redis that the API takes it for; 0 while it has no connection. */
  known: number;
  /** Instants: the coupon starts at `START`, ends at `end`, and is long over one later. */
  time: number;
  openers: Opener[];
  locked: { at: number; server: number; epoch: number; version: number; next: number };
  synchronous: { at: number; epoch: number; forget: number };
  workers: { at: number; stale: number; older: number }[];
  editor: Edit;
  /** A command of an editor that died, still on its way: 1 apply-edit, 2 lower-total. */
  late: Edit;
  closer: { at: number; epoch: number };
  discarding: number;
  faults: number;
  /** Whether Redis has lost what some process had in hand: from then on a number may be another than the one that was answered. */
  lossy: number;
  edits: number;
  /** Whether MySQL went back while Redis has a state: until its rows are written again, what Redis knows counts too. */
  behind: number;
  /** Whether processes offer what they remember to an opening. */
  offers: number;
  /** In a world with two places for the stock, see moving.ts: what the other one has, and which counts. */
  others: { redis: RedisState }[];
  places: Places[];
  /** In a world with one, see audit.ts. */
  audits: Audit[];
  /** In a world with one, see consumers.ts. */
  groups: Group[];
  /** In a world in which a user is erased, see erasing.ts. */
  erasings: Erasing[];
  /** A broken promise that only the step itself could see: an index into `faultNames`. */
  wrong: number;
}

/** See `User.gone`. */
export const WITHDRAWN = 2;

export const START = 1;
export const END = 2;
export const END_PROLONGED = 4;
export const TIME_MAX = 5;

/** What `wrong` may say. */
export const wrongs = [
  '',
  'P4: sold out, while stock is left',
  'P2: a user gets another sequence than before',
  'P5: issued outside the period',
  'an audit says what is not true',
  'P3: an issue of a coupon that was deleted',
  'issued while paused',
  'P2: a user has two rows',
  'P3: what an issue promises is changed',
  'the id of an erased user is there again',
] as const;

/** How large a world is, and what may happen in it. */
export interface World {
  readonly users: number;
  readonly openers: number;
  readonly workers: number;
  readonly total: number;
  readonly faultsMax: number;
  readonly editsMax: number;
  readonly epochMax: number;
  readonly time: number;
  /** Nobody dies, no reply is lost, no lease runs out: what is left is small, and all of it is seen to a greater depth. */
  readonly isCalm?: boolean;
  readonly hasTwoPlaces?: boolean;
  readonly may: ReadonlySet<string>;
}

const noEdit = (): Edit => ({ at: 0, kind: 0, aborted: 0, version: 0, total: 0, paused: 0, end: 0 });
const noState = (): RedisState => {
  return { run: 0, next: 0, until: 0, gap: 0, epoch: 0, version: 0, paused: 0, end: 0, opening: 0, lock: 0 };
};

/** The world before anything has happened. */
export function initialState(world: World): State {
  const zeros = (length: number) => Array.from({ length }, () => 0);
  const sql: SqlCoupon = {
    exists: 1,
    home: 0,
    epoch: 0,
    version: 1,
    total: world.total,
    paused: 0,
    end: END,
    lock: 0,
    archived: 0,
  };
  return {
    users: Array.from({ length: world.users }, () => ({
      promised: 0,
      row: 0,
      owner: 0,
      stream: 0,
      first: 0,
      epoch: 0,
      dead: 0,
      bad: 0,
      loaded: zeros(world.openers),
      hand: zeros(world.workers),
      under: zeros(world.workers),
      letter: zeros(world.workers),
      gone: zeros(world.workers),
      reserved: 0,
      decided: 0,
      saved: zeros(6),
      away: zeros(world.hasTwoPlaces ? 5 : 0),
      given: zeros(world.may.has('audit') ? 1 : 0),
      filed: zeros(world.may.has('archive') ? 1 : 0),
      pending: zeros(world.may.has('remove consumers') ? 1 : 0),
    })),
    sql,
    redis: noState(),
    savedSql: { ...sql },
    savedRedis: noState(),
    saved: 0,
    server: 1,
    known: 1,
    time: world.time,
    openers: Array.from({ length: world.openers }, () => {
      return { at: 0, server: 0, epoch: 0, version: 0, total: 0, paused: 0, end: 0, next: 0, owners: 0 };
    }),
    locked: { at: 0, server: 0, epoch: 0, version: 0, next: 0 },
    synchronous: { at: 0, epoch: 0, forget: 0 },
    workers: Array.from({ length: world.workers }, () => ({ at: 0, stale: 0, older: 0 })),
    editor: noEdit(),
    late: noEdit(),
    closer: { at: 0, epoch: 0 },
    discarding: 0,
    faults: 0,
    lossy: 0,
    edits: 0,
    behind: 0,
    offers: world.may.has('offer') ? 1 : 0,
    others: world.hasTwoPlaces ? [{ redis: noState() }] : [],
    places: world.hasTwoPlaces ? [newPlaces()] : [],
    audits: world.may.has('audit') ? [newAudit()] : [],
    groups: world.may.has('remove consumers') ? [newGroup(world.workers)] : [],
    erasings: world.may.has('erase') ? [newErasing()] : [],
    wrong: 0,
  };
}

/** Empties the whole of Redis. */
export function emptyRedis(s: State): void {
  s.redis = noState();
  s.groups = s.groups.map(({ names }) => newGroup(names.length));
  for (const user of s.users) {
    user.owner = user.stream = user.first = user.epoch = user.dead = 0;
    user.loaded.fill(0);
    user.pending.fill(0);
  }
}

/** The sequence that a user holds, wherever it is written down: a row, a file, an entry, a dead letter. */
export function heldBy(user: User): number {
  return user.row || (user.filed[0] ?? 0) || user.stream || user.dead || (user.away[1] ?? 0) || (user.away[4] ?? 0);
}

export function countHolders(s: State): number {
  const isKnown = (user: User) => heldBy(user) > 0 || (s.behind === 1 && ownerOf(s, user) > 0);
  return s.users.reduce((sum, user) => sum + (isKnown(user) ? 1 : 0), 0);
}

/** The sequence of a user by the state in Redis: of two, by the one that took over last. */
function ownerOf(s: State, user: User): number {
  const [first = 0, second = 0] = s.places[0]?.marks ?? [];
  if (second > first) return (s.others[0]?.redis.run ?? 0) > 0 ? (user.away[0] ?? 0) : 0;
  return s.redis.run > 0 ? user.owner : 0;
}

export function countOwners(s: State): number {
  return s.users.reduce((sum, user) => sum + (user.owner > 0 ? 1 : 0), 0);
}

export function countRows(s: State): number {
  return s.users.reduce((sum, user) => sum + (user.row > 0 ? 1 : 0), 0);
}

export function highestRow(s: State): number {
  return s.users.reduce((highest, user) => Math.max(highest, user.row), 0);
}

/** Whether Redis knows of issues that MySQL has lost. */
export function isAhead(s: State): boolean {
  return s.redis.run > 0 && s.redis.epoch > s.sql.epoch;
}

/** Whether something waits of a coupon that Redis has no state of, though it is issued from MySQL. Owners stay when a state is dropped. */
export function isStranded(s: State): boolean {
  if (s.redis.run > 0 || s.sql.home === 1 || s.sql.exists === 0) return false;
  const hasTrace = s.users.some(({ owner, dead }) => owner > 0 || dead > 0);
  return hasTrace && s.users.some(({ stream, dead }) => stream > 0 || dead > 0);
}

/** Whether what was promised to a user who holds something is kept. */
export function isKept(s: State, user: User): boolean {
  if (s.behind && ownerOf(s, user) === user.promised) return true;
  // Where processes offer what they remember.
  if (s.offers > 0 && user.reserved === user.promised) return true;
  return s.lossy ? heldBy(user) > 0 : heldBy(user) === user.promised;
}

/** Which promise is broken in this state; '' for none. */
export function brokenPromise(s: State): string {
  const issues = s.lossy ? countRows(s) : countHolders(s);
  if (s.sql.exists && issues > s.sql.total) return 'P1: more issues than the total';
  for (const [i, user] of s.users.entries()) {
    if (user.promised > 0 && !isKept(s, user)) return 'P3: a promised issue is nowhere under its sequence';
    if (user.row === 0) continue;
    if ((user.filed[0] ?? 0) > 0) return 'P2: a user has two rows';
    for (let j = i + 1; j < s.users.length; j += 1) if (s.users[j]?.row === user.row) return 'P2: a sequence twice';
  }
  return wrongs[s.wrong] ?? '';
}
