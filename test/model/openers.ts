// openers.ts -- Opening: a lease, the claim under the row lock, gathering what was accepted, the swap. Stands for `src/stock/opening.ts`.
//
// Where an opener stands: 1 has the lease, 2 may prove the state, 3 to 5 reads stream, dead letters and rows, 6 may swap.

import { holds, isLeftOut } from './guards.ts';
import type { Emit } from './issuers.ts';
import { beginOpening, endOpening, finishOpening, loadOwners, proveState } from './scripts.ts';
import { countOwners, countRows, highestRow, type Opener, type State, type User, type World } from './state.ts';

/** Every step of every opener. */
export function openerSteps(s: State, world: World, emit: Emit): void {
  if (s.redis.opening > 0)
    emit('the lease of an opening runs out', 0, (n) => {
      for (const user of n.users) user.loaded[n.redis.opening - 1] = 0;
      n.redis.opening = 0;
    });
  for (const [p, opener] of s.openers.entries()) {
    if (opener.at === 0) begin(s, world, p, emit);
    else emit('opener dies:', p, (n) => reset(n, p));
    if (opener.at === 1 && s.sql.lock === 0 && s.sql.epoch < world.epochMax) claimSteps(s, world, p, emit);
    if (opener.at === 2) emit('opener proves:', p, (n) => prove(n, p));
    if (opener.at >= 3 && opener.at <= 5) emit('opener reads:', p, (n) => read(n, p));
    if (opener.at === 6) emit('opener swaps:', p, (n) => swap(n, p));
  }
}

function begin(s: State, world: World, p: number, emit: Emit): void {
  const isOpen = s.redis.run === s.server && countOwners(s) === s.redis.next - 1 - s.redis.gap;
  if (!world.may.has('open') || s.redis.opening > 0 || isOpen) return;
  emit('opener begins:', p, (n) => {
    // It asks which server this is before it begins.
    n.known = n.server;
    // It gathers under a token of its own.
    for (const user of n.users) user.loaded[p] = 0;
    const begun = beginOpening(n, p);
    if (begun === 'open' || begun === 'busy' || begun === 'failed') return;
    const { epoch, version, next } = n.redis;
    const found = begun === 'unproven' ? { epoch, version, next, owners: countOwners(n) } : {};
    n.openers[p] = { ...noOpener, at: 1, server: n.server, ...found };
  });
}

const noOpener: Opener = { at: 0, server: 0, epoch: 0, version: 0, total: 0, paused: 0, end: 0, next: 0, owners: 0 };

/** The opener of this number is no more; the next one gathers under a key of its own. */
export function reset(n: State, p: number): void {
  n.openers[p] = { ...noOpener };
  for (const user of n.users) user.loaded[p] = 0;
}

function giveUp(n: State, p: number): void {
  endOpening(n, p);
  reset(n, p);
}

/** In one step: what commits after a claim is lost with it, or keeps it. */
function claimSteps(s: State, world: World, p: number, emit: Emit): void {
  emit('opener claims:', p, (n) => claim(n, p));
  if (!world.may.has('MySQL fails over') || s.faults >= world.faultsMax) return;
  emit('opener claims, and MySQL fails over without it:', p, (n) => {
    const before = { ...n.sql };
    claim(n, p);
    n.sql = before;
    n.faults += 1;
  });
}

/** Step 1, under the row lock. `version` is above 0 only where the state may be proven. */
function claim(n: State, p: number): void {
  const opener = n.openers[p];
  const { sql } = n;
  if (!opener) return;
  const isOver = n.time >= sql.end;
  const isOpenable = holds('claim: the coupon is not archived', sql.archived === 0);
  if (sql.exists === 0 || !isOpenable || !holds('claim: the coupon is not over', !isOver)) return giveUp(n, p);
  const wentBack = opener.epoch > sql.epoch && !isLeftOut('prove: a state of a later epoch is kept');
  const proven =
    opener.version > 0 &&
    (wentBack ||
      (holds('prove: the home is Redis', sql.home === 1) &&
        holds('prove: the epoch is the one in MySQL', opener.epoch === sql.epoch) &&
        holds('prove: the version is the one in MySQL', opener.version === sql.version))) &&
    holds('prove: as many owners as rows', opener.owners >= countRows(n)) &&
    holds('prove: the next sequence is above all rows', opener.next > highestRow(n));
  if (proven) {
    if (wentBack) {
      sql.home = 1;
      sql.epoch = opener.epoch;
    }
    n.openers[p] = { ...noOpener, at: 2, server: opener.server };
    return;
  }
  sql.home = 1;
  if (!isLeftOut('claim: the epoch goes up')) sql.epoch += 1;
  const { epoch, version, total, paused, end } = sql;
  n.openers[p] = { ...noOpener, at: 3, server: opener.server, epoch, version, total, paused, end, next: 1 };
}

function prove(n: State, p: number): void {
  proveState(n, p, n.openers[p]?.server ?? 0);
  reset(n, p);
}

const fromStream = (user: User): number => user.stream;
const fromDead = (user: User): number => user.dead;
const fromRows = (user: User): number => user.row;
const fromNowhere = (): number => 0;

/** What is read in steps 3 to 5. Entries move from the stream to dead letters or rows, and back only by a replay, which ends the lease. */
function sources(): readonly ((user: User) => number)[] {
  const dead = isLeftOut('gather: dead letters too') ? fromNowhere : fromDead;
  if (isLeftOut('gather: entries before rows')) return [fromRows, fromStream, dead];
  if (isLeftOut('gather: the stream before dead letters')) return [dead, fromStream, fromRows];
  return [fromStream, dead, fromRows];
}

/** Step 2: one source read and loaded. A later one overrides an earlier one: rows are the truth. */
function read(n: State, p: number): void {
  const opener = n.openers[p];
  const source = sources()[(opener?.at ?? 3) - 3];
  if (!opener || !source) return;
  // An empty stream is not loaded, and so does not find out that the lease is gone. A page of rows always is.
  const isEmpty = source !== fromRows && n.users.every((user) => source(user) === 0);
  const loaded = isEmpty
    ? 'loaded'
    : loadOwners(n, p, (u) => {
        const user = n.users[u];
        return user ? source(user) : 0;
      });
  if (loaded === 'superseded') return reset(n, p);
  for (const user of n.users) opener.next = Math.max(opener.next, source(user) + 1);
  opener.owners = n.users.filter((user) => (user.loaded[p] ?? 0) > 0).length;
  opener.at += 1;
}

/** Step 3. */
function swap(n: State, p: number): void {
  const opener = n.openers[p];
  const isClaimed = n.sql.home === 1 && n.sql.epoch === opener?.epoch;
  if (!holds('swap: MySQL still has the claim', isClaimed)) return giveUp(n, p);
  if (opener) finishOpening(n, p, opener);
  reset(n, p);
}
