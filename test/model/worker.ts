// worker.ts -- Two workers that drain the stream: read, write, settle, forget. Stands for `workers/drain.ts` and `workers/inbox.ts`.
//
// Which worker gets which entry is left open: any may take any entry at any time, as after a takeover, so that what holds here
// holds for every way of handing entries out. A world with a consumer group knows which worker has which: consumers.ts.

import { assign, hasPending, readableBy } from './consumers.ts';
import { holds, isLeftOut } from './guards.ts';
import { drop, type Emit } from './issuers.ts';
import { insertsBad, type Issue, writeEntries } from './ledger.ts';
import { look, OWN_LETTER, settle, WHOLE_ENTRY } from './scripts.ts';
import { type State, WITHDRAWN, type World } from './state.ts';

/**
 * Every step of every worker. Where one stands: 1 has entries, 2 has written them, 3 asks whether Redis knows them, 4 drops a state that
 * does not, 5 drops one that gave a taken sequence out, before it settles: were it killed in between, nobody would come upon it again.
 */
export function workerSteps(s: State, world: World, emit: Emit): void {
  if (world.may.has('bad data') && s.faults < world.faultsMax) {
    for (const [u, user] of s.users.entries()) {
      if (user.stream > 0 && user.bad === 0) emit('the data is bad of user', u + 1, (n) => spoil(n, u));
    }
  }
  for (const [w, worker] of s.workers.entries()) {
    if (worker.at === 0) readSteps(s, w, emit);
    else emit('worker dies:', w, (n) => rest(n, w));
    if (worker.at === 1 && s.sql.lock === 0) {
      const writable = issuesInHand(s, w).filter(({ u }) => !isWithdrawn(s, u, w));
      if (insertsBad(s, writable))
        emit('worker halves what MySQL refuses, and finds the bad entry:', w, (n) => bury(n, w));
      else emit('worker writes:', w, (n) => write(n, w));
    }
    if (worker.at === 2) emit('worker settles:', w, (n) => settleAll(n, w));
    if (worker.at === 3) emit('worker asks Redis for what it knows:', w, (n) => ask(n, w));
    if (worker.at === 4) emit('worker drops the state:', w, (n) => dropStale(n, w));
    if (worker.at === 5) emit('worker drops the state before it settles:', w, (n) => dropFirst(n, w));
  }
}

function spoil(n: State, u: number): void {
  const user = n.users[u];
  n.faults += 1;
  if (user) user.bad = user.stream;
}

/** One entry, or all there are, which are then one transaction. */
function readSteps(s: State, w: number, emit: Emit): void {
  const heads = new Set(readableBy(s, w).map(({ first, epoch }) => first * 16 + epoch));
  // What is pending for it comes together.
  for (const head of heads.size === 1 || !hasPending(s, w) ? heads : []) {
    emit(`worker ${w + 1} reads the entry from`, head >> 4, (n) => take(n, w, head));
  }
  if (heads.size > 1) emit('worker reads all entries:', w, (n) => take(n, w, null));
}

function take(n: State, w: number, head: number | null): void {
  for (const user of readableBy(n, w)) {
    if (head !== null && user.first * 16 + user.epoch !== head) continue;
    assign(n, user, w);
    user.hand[w] = user.stream;
    user.under[w] = user.epoch;
    user.gone[w] = 0;
  }
  n.workers[w] = { at: 1, stale: 0, older: 0 };
}

/** Bisecting: the one bad entry becomes a dead letter, as a whole; the others are read again. */
function bury(n: State, w: number): void {
  leaveWithdrawn(n, w);
  const bad = n.users.find((user) => user.hand[w] && user.hand[w] === user.bad);
  for (const user of n.users) {
    if (user.first === bad?.first && user.epoch === bad.epoch) user.letter[w] = WHOLE_ENTRY;
    else user.hand[w] = user.under[w] = 0;
  }
  n.workers[w] = { at: 2, stale: 0, older: 0 };
}

function issuesInHand(s: State, w: number): readonly Issue[] {
  const issues = s.users.flatMap(({ hand, under }, u) =>
    hand[w] ? [{ u, sequence: hand[w], epoch: under[w] ?? 0 }] : [],
  );
  return issues.sort((a, b) => a.sequence - b.sequence || a.epoch - b.epoch);
}

function write(n: State, w: number): void {
  leaveWithdrawn(n, w);
  const written = writeEntries(n, issuesInHand(n, w));
  for (const u of written.dead) if (n.users[u]) n.users[u].letter[w] = OWN_LETTER;
  const stale = written.renumbered.length + written.superseded.length > 0 ? 1 : 0;
  const older = written.older.length > 0 ? 1 : 0;
  const isDropLeftOut = isLeftOut('drain: forget a state that does not know all rows');
  n.workers[w] = { at: stale === 1 && !isDropLeftOut ? 5 : 2, stale: 0, older };
}

/** Under the row lock: an entry of an earlier opening whose dead letter was replayed or discarded is not this worker's any more. */
function isWithdrawn(s: State, u: number, w: number): boolean {
  const { gone = [], under = [] } = s.users[u] ?? {};
  const isOlder = (under[w] ?? 0) < s.sql.epoch;
  return !holds('drain: a withdrawn entry of an earlier opening is not written', gone[w] !== WITHDRAWN || !isOlder);
}

function leaveWithdrawn(n: State, w: number): void {
  for (const [u, user] of n.users.entries()) if (isWithdrawn(n, u, w)) user.hand[w] = user.under[w] = user.gone[w] = 0;
}

function settleAll(n: State, w: number): void {
  const isBuried = n.users.some(({ letter }) => letter[w] === WHOLE_ENTRY);
  // Of an entry that is buried no row was written.
  const wereGone = settle(n, w) === 'some were gone' && !isBuried;
  const isOlder = n.workers[w]?.older === 1;
  const isAsked = isOlder || (wereGone && !isLeftOut('drain: entries that were gone are asked for too'));
  if (!isAsked || isLeftOut('drain: forget a state that does not know all rows')) return rest(n, w);
  n.workers[w] = { at: 3, stale: wereGone ? 1 : 0, older: isOlder ? 1 : 0 };
}

/** Whether Redis knows every row that was written from an entry of an earlier epoch, or that was gone. `stale`: some entries were gone. */
function ask(n: State, w: number): void {
  const seen = look(n);
  const knowsAll = n.users.every((user) => !user.hand[w] || user.owner === user.hand[w]);
  const { stale, older } = n.workers[w] ?? { stale: 0, older: 0 };
  const isStale = seen === 'not open' ? stale === 1 : !knowsAll;
  // A state that is not usable may know what a MySQL that went back does not: only an opening under way is ended.
  if (isStale) n.workers[w] = { at: 4, stale: 1, older: seen === 'not open' ? older : 1 };
  else rest(n, w);
}

function dropStale(n: State, w: number): void {
  if (n.workers[w]?.older === 1) drop(n);
  else n.redis.opening = 0;
  rest(n, w);
}

function dropFirst(n: State, w: number): void {
  drop(n);
  n.workers[w] = { at: 2, stale: 0, older: n.workers[w]?.older ?? 0 };
}

function rest(n: State, w: number): void {
  n.workers[w] = { at: 0, stale: 0, older: 0 };
  for (const user of n.users) user.hand[w] = user.under[w] = user.letter[w] = user.gone[w] = 0;
}
