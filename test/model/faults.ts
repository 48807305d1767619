// faults.ts -- What happens to the stores: restarts, losses, backups that are restored, promotions behind a standing connection.

import type { Emit } from './issuers.ts';
import { reset as endOpener } from './openers.ts';
import { emptyRedis, heldBy, isKept, type State, TIME_MAX, WITHDRAWN, type World } from './state.ts';

export function faultSteps(s: State, world: World, emit: Emit): void {
  const { may } = world;
  if (s.known !== s.server) emit('the API connects to Redis again', 0, (n) => void (n.known = n.server));
  if (may.has('time') && s.time < TIME_MAX) emit('time passes', 0, (n) => void (n.time += 1));
  if (s.saved === 0 && may.has('back up') && s.faults < world.faultsMax) emit('both stores are backed up', 0, backUp);
  if (may.has('back up apart')) bothSteps(s, world, emit);
  if (s.faults >= world.faultsMax) return;
  const fault = (kind: string, change: (n: State) => void) => {
    if (!may.has(kind)) return;
    emit(kind, 0, (n) => {
      n.faults += 1;
      change(n);
    });
  };
  fault('Redis restarts', (n) => anotherServer(n, 0));
  fault('MySQL restarts', abortEdit);
  // A process that is just about to drop the state knows nothing of it, nor one that settles what Redis has no state of any more; a
  // restore takes longer than such a step.
  const isDropping =
    s.workers.some(({ at }) => at >= (s.redis.run === 0 ? 2 : 3)) ||
    s.closer.at > 0 ||
    s.discarding > 0 ||
    s.synchronous.forget > 0;
  if (s.saved === 1 && !isDropping) {
    fault('MySQL goes back to the backup', (n) => {
      abortEdit(n);
      n.sql = { ...n.savedSql, lock: 0 };
      for (const user of n.users) user.row = user.saved[0] ?? 0;
      // MySQL is down for longer than a lease lasts.
      n.redis.opening = 0;
      for (const [p] of n.openers.entries()) endOpener(n, p);
      for (const user of n.users) user.loaded.fill(0);
      n.behind = n.redis.run === 0 ? 0 : 1;
      forgive(n);
    });
  }
  // With MySQL gone back, too, nobody has it any more.
  if (s.behind === 1) return;
  fault('Redis loses all', (n) => {
    emptyRedis(n);
    anotherServer(n, 0);
    markGone(n);
    forgive(n);
  });
  fault('Redis loses the owners', (n) => {
    for (const user of n.users) user.owner = 0;
  });
  if (s.redis.opening > 0)
    fault('Redis loses what an opener gathered', (n) => {
      for (const user of n.users) user.loaded.fill(0);
    });
  if (s.saved === 0) return;
  fault('Redis goes back to the backup', (n) => {
    restoreRedis(n);
    anotherServer(n, 0);
  });
  fault('an older copy of Redis is promoted behind the connection', (n) => {
    const { known } = n;
    restoreRedis(n);
    // It takes no time in which a lease would run out.
    n.redis.lock = n.savedRedis.lock;
    anotherServer(n, known);
  });
}

/** How far the backups are: of MySQL alone, of Redis alone, of both. */
const [OF_MYSQL, OF_REDIS, OF_BOTH] = [2, 3, 4];

/** Backups that were taken at different instants, and are both restored while no process runs, as docs/restoring.md asks. */
function bothSteps(s: State, world: World, emit: Emit): void {
  if (s.saved === 0 || s.saved === OF_REDIS)
    emit('MySQL alone is backed up', 0, (n) => {
      n.saved = n.saved === 0 ? OF_MYSQL : OF_BOTH;
      n.savedSql = { ...n.sql, lock: 0 };
      for (const user of n.users) user.saved[0] = user.row;
    });
  if (s.saved === 0 || s.saved === OF_MYSQL)
    emit('Redis alone is backed up', 0, (n) => {
      n.saved = n.saved === 0 ? OF_REDIS : OF_BOTH;
      n.savedRedis = { ...n.redis };
      for (const user of n.users)
        user.saved = [user.saved[0] ?? 0, user.owner, user.stream, user.first, user.epoch, user.dead];
    });
  if (s.saved === OF_BOTH && s.faults < world.faultsMax)
    emit('every process is stopped, and both stores go back', 0, (n) => {
      n.faults += 1;
      stopAll(n);
      n.sql = { ...n.savedSql };
      for (const user of n.users) user.row = user.saved[0] ?? 0;
      n.behind = n.savedRedis.run === 0 ? 0 : 1;
      restoreRedis(n);
      anotherServer(n, 0);
    });
}

/** What processes had in hand is gone. */
function stopAll(n: State): void {
  for (const [p] of n.openers.entries()) endOpener(n, p);
  n.locked = { at: 0, server: 0, epoch: 0, version: 0, next: 0 };
  n.synchronous = { at: 0, epoch: 0, forget: 0 };
  n.workers = n.workers.map(() => ({ at: 0, stale: 0, older: 0 }));
  for (const user of n.users) {
    user.reserved = user.decided = 0;
    for (const each of [user.hand, user.under, user.letter, user.gone]) each.fill(0);
  }
}

function backUp(n: State): void {
  n.saved = 1;
  n.savedSql = { ...n.sql };
  n.savedRedis = { ...n.redis };
  for (const user of n.users) user.saved = [user.row, user.owner, user.stream, user.first, user.epoch, user.dead];
}

/** Redis has what it had at the backup. */
export function restoreRedis(n: State): void {
  // What has a lease does not outlive the time that has passed.
  n.redis = { ...n.savedRedis, opening: 0, lock: 0 };
  for (const user of n.users) {
    const [, owner = 0, stream = 0, first = 0, epoch = 0, dead = 0] = user.saved;
    Object.assign(user, { owner, stream, first, epoch, dead });
    user.loaded.fill(0);
  }
  markGone(n);
  forgive(n);
}

function anotherServer(n: State, known: number): void {
  n.server += 1;
  n.known = known;
}

/** An entry that a worker has in hand is another one than that which may stand in the stream from now on. */
function markGone(n: State): void {
  for (const user of n.users) {
    for (const w of user.hand.keys()) {
      if (user.hand[w] && (user.stream !== user.hand[w] || user.gone[w] === WITHDRAWN)) user.gone[w] = 1;
    }
  }
}

function abortEdit(n: State): void {
  if (n.sql.lock === 0) return;
  n.sql.lock = 0;
  n.editor.aborted = 1;
}

/**
 * What no store has any more cannot be kept: acknowledged data was lost. What a process had in hand at that moment may still be
 * written, after the numbers were given out again; from then on a number may be another than the one that was answered.
 */
export function forgive(n: State): void {
  for (const user of n.users) {
    const isInHand = user.hand.some((sequence, w) => sequence > 0 && user.gone[w] === 1 && user.row !== sequence);
    if (isInHand || (user.reserved > 0 && heldBy(user) !== user.reserved)) n.lossy = 1;
    if (!isKept(n, user) || (n.lossy === 1 && heldBy(user) !== user.promised)) user.promised = 0;
  }
}
