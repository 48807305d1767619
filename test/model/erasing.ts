// erasing.ts -- A user is erased while they ask, an opener reads and workers have their entry in hand. Stands for `src/operations/erasing.ts`.
//
// A world of its own: one user of one coupon, since all that matters is by which name each place knows the user. A place has 0 for nothing,
// `ID`, `PSEUDONYM`, or both.

import { holds, isLeftOut } from './guards.ts';
import type { Emit } from './issuers.ts';
import type { State } from './state.ts';

const ID = 1;
const PSEUDONYM = 2;

/** What stands where, under which names; whether a place has the key of the pseudonyms; how far opener and eraser are. */
export interface Erasing {
  row: number;
  key: number;
  /** 0 mysql, 1 redis. */
  home: number;
  stream: number;
  dead: number;
  /** Redis: whether there is a state, its key, the owner, and whether somebody opens the coupon. */
  state: number;
  stateKey: number;
  owner: number;
  lease: number;
  opener: number;
  openerKey: number;
  loaded: number;
  hands: number[];
  eraser: number;
  /** Whether the eraser has come upon the id in this pass, and whether it is to be the last. */
  seen: number;
  last: number;
  /** Whether a letter was added to the dead letters since it began to look. */
  added: number;
  issues: number;
  /** Whether it is over, and its key forgotten. */
  over: number;
}

export const newErasing = (): Erasing => ({
  row: 0,
  key: 0,
  home: 0,
  stream: 0,
  dead: 0,
  state: 0,
  stateKey: 0,
  owner: 0,
  lease: 0,
  opener: 0,
  openerKey: 0,
  loaded: 0,
  hands: [0, 0],
  eraser: 0,
  seen: 0,
  last: 0,
  added: 0,
  issues: 0,
  over: 0,
});

/** Where the eraser has ended. */
const ERASED = 10;

type Change = (e: Erasing, n: State) => void;
type EmitChange = (name: string, change: Change) => void;

/** Every step of a world in which a user is erased. */
export function erasingSteps(s: State, emit: Emit): void {
  const [e] = s.erasings;
  if (!e) return;
  const each: EmitChange = (name, change) =>
    emit(name, 0, (n) => {
      const [now] = n.erasings;
      if (!now) return;
      change(now, n);
      const places = [now.row, now.stream, now.dead, now.owner];
      if (now.eraser === ERASED && n.wrong === 0 && places.some((place) => has(place, ID))) n.wrong = 9;
    });
  askingSteps(e, each);
  openingSteps(e, each);
  for (const w of e.hands.keys()) workerSteps(e, w, each);
  eraserSteps(e, each);
  const isWritten = e.row > 0 && e.stream + e.dead === 0;
  if (e.over === 0 && isWritten && e.eraser === ERASED)
    each('the coupon is over and closed, and its key forgotten', (now) =>
      Object.assign(now, { over: 1, key: 0, home: 0, state: 0, stateKey: 0, owner: 0, lease: 0 }),
    );
}

const has = (place: number, name: number): boolean => (place & name) === name;

/** Whether an issuer that looks there takes the user for one who has the coupon. */
function isKnown(place: number, key: number, isAsked: boolean): boolean {
  return has(place, ID) || (key === 1 && isAsked && has(place, PSEUDONYM));
}

function askingSteps(e: Erasing, emit: EmitChange): void {
  const issue: Change = (now, n) => {
    now.issues += 1;
    if (now.issues > 1) n.wrong = 2;
  };
  const looksUp = !isLeftOut('take: pseudonyms are looked up');
  if (e.state === 1 && !isKnown(e.owner, e.stateKey, looksUp))
    emit('take, answered', (now, n) => {
      issue(now, n);
      now.owner |= ID;
      now.stream = ID;
    });
  const looksUpInMysql = !isLeftOut('synchronous: pseudonyms are looked up');
  if (e.home === 0 && e.over === 0 && !isKnown(e.row, e.key, looksUpInMysql))
    emit('synchronous: issues in MySQL', (now, n) => {
      issue(now, n);
      now.row |= ID;
    });
  if (e.state === 1)
    emit('Redis loses state and owners', (now) => {
      now.state = now.stateKey = now.owner = now.lease = 0;
    });
}

/** Where it stands: 1 has claimed, 2 to 4 has read the stream, the dead letters, the rows, 5 has looked at the coupon again. */
function openingSteps(e: Erasing, emit: EmitChange): void {
  const reads = (name: string, placeOf: (now: Erasing) => number) =>
    emit(`opener reads ${name}`, (now) => {
      now.loaded |= placeOf(now);
      now.opener += 1;
    });
  if (e.opener === 0 && e.state === 0 && e.lease === 0 && e.over === 0)
    emit('opener claims', (now) => Object.assign(now, { opener: 1, lease: 1, home: 1, openerKey: now.key }));
  if (e.opener === 1) reads('the stream', ({ stream }) => stream);
  if (e.opener === 2) reads('the dead letters', ({ dead }) => dead);
  if (e.opener === 3) reads('the rows', ({ row }) => row);
  if (e.opener === 4)
    emit('opener looks at the coupon again', (now) => {
      if (!isLeftOut('opening: the key is read after the owners')) now.openerKey = now.key;
      now.opener = 5;
    });
  if (e.opener === 5)
    emit('opener swaps', (now) => {
      if (now.lease === 1) Object.assign(now, { state: 1, owner: now.loaded, stateKey: now.openerKey });
      now.opener = now.openerKey = now.loaded = now.lease = 0;
    });
}

function workerSteps(e: Erasing, w: number, emit: EmitChange): void {
  const hand = e.hands[w] ?? 0;
  const settle = (now: Erasing) => {
    if (now.stream === now.hands[w]) now.stream = 0;
    now.hands[w] = 0;
  };
  if (hand === 0 && e.stream > 0)
    emit(`worker ${w + 1} reads the entry`, (now) => {
      now.hands[w] = now.stream;
    });
  if (hand > 0 && e.row !== nameOfRow(e, hand))
    emit(`worker ${w + 1} writes`, (now, n) => {
      if (now.row > 0) n.wrong = 7;
      now.row |= nameOfRow(now, hand);
    });
  if (hand > 0 && e.row === nameOfRow(e, hand)) emit(`worker ${w + 1} settles`, settle);
  if (hand > 0 && e.row === 0 && e.stream === hand)
    emit(`worker ${w + 1} buries the entry`, (now) => {
      now.dead = hand;
      now.added = 1;
      settle(now);
    });
  if (w === 0 && e.dead > 0 && e.hands.every((each) => each === 0))
    emit('a dead letter is replayed', (now) => {
      now.stream = now.dead;
      now.dead = now.lease = 0;
    });
}

/**
 * Under the row lock: the name under which an entry is written. The key is there with the note that the user was erased. Without it an entry of
 * before the closing is taken for the row that has its sequence.
 */
function nameOfRow({ key, over, row }: Erasing, hand: number): number {
  if (over === 1 && row === PSEUDONYM && !isLeftOut('ledger: an old entry whose sequence an erased user has is a row'))
    return row;
  return key === 1 && !isLeftOut('ledger: an entry of an erased user is of the pseudonym') ? PSEUDONYM : hand;
}

/** Where it stands: 2 changes MySQL, 4 the dead letters, 5 Redis; from 7 on it looks whether anything is left, and begins again. */
function eraserSteps(e: Erasing, emit: EmitChange): void {
  if (e.eraser === 0 && e.issues > 0) emit('the eraser begins', (now) => void (now.eraser = 2));
  if (e.eraser === 2)
    emit('the eraser changes the row', (now) => {
      const isOneStep = !isLeftOut('erasing: the row and the key change together');
      if (has(now.row, ID)) now.row = PSEUDONYM;
      if (isOneStep) now.key = 1;
      now.eraser = isOneStep ? 4 : 3;
    });
  if (e.eraser === 3) emit('the eraser sets the key', (now) => void Object.assign(now, { key: 1, eraser: 4 }));
  if (e.eraser === 4)
    emit('the eraser replaces the dead letter', (now) => {
      if (now.dead === ID) now.dead = PSEUDONYM;
      now.eraser = 5;
    });
  if (e.eraser === 5) emit('the eraser changes the owner', changeOwner);
  if (e.eraser === 6)
    emit('the eraser sets the key of the state', (now) => {
      if (now.state === 1) now.stateKey = 1;
      now.eraser = 7;
    });
  lookSteps(e, emit);
}

/** erase-owner.lua */
const changeOwner: Change = (now) => {
  // With both names there is one owner less than the state counts, which is not usable any more.
  if (now.owner === (ID | PSEUDONYM)) now.state = now.stateKey = 0;
  if (has(now.owner, ID)) now.owner = PSEUDONYM;
  const isOneStep = !isLeftOut('erase-owner: key and pseudonym are one step');
  if (isOneStep && now.state === 1) now.stateKey = 1;
  now.eraser = isOneStep ? 7 : 6;
};

/** It reads stream and dead letters, and the stream again, as a letter may have been replayed; then owners and rows. The last time it finds nothing. */
function lookSteps(e: Erasing, emit: EmitChange): void {
  const looks = (name: string, placesOf: (now: Erasing) => readonly number[], at: number) =>
    emit(`the eraser looks at ${name}`, (now) => {
      if (placesOf(now).some((place) => has(place, ID))) now.seen = 1;
      now.eraser = at;
      if (at === 8) now.added = 0;
      if (at !== ERASED) return;
      if (!holds('erasing: no dead letter was added while it looked', now.added === 0)) {
        now.eraser = 7;
        return;
      }
      if (now.seen === 1) now.eraser = 2;
      else if (now.last === 0) {
        now.eraser = 7;
        if (!isLeftOut('erasing: openings lose their lease before the last look')) now.lease = 0;
      }
      now.last = 1 - now.seen;
      now.seen = 0;
    });
  if (e.eraser === 7) looks('the stream', ({ stream }) => [stream], 8);
  if (e.eraser === 8) looks('the dead letters', ({ dead }) => [dead], 9);
  if (e.eraser === 9)
    looks('the stream again, owners and rows', ({ stream, owner, row }) => [stream, owner, row], ERASED);
}
