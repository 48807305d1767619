// operators.ts -- What operators and the reconciler do: edit, repair, delete, close, discard and replay dead letters.
//
// Stands for `src/stock/editing.ts`, `src/stock/closing.ts`, `src/operations/dead-letters.ts` and `workers/reconcile.ts`.

import { holds, isLeftOut } from './guards.ts';
import { drop, type Emit } from './issuers.ts';
import { applyEdit, close, removeUnissued, discard, giveUpLetter, lowerTotal, replay } from './scripts.ts';
import {
  countOwners,
  countRows,
  type Edit,
  END_PROLONGED,
  heldBy,
  isAhead,
  isStranded,
  type State,
  type User,
  type World,
} from './state.ts';

/** The kinds of edit. `repair` is the reconciler's. */
const kinds = { raise: 1, lower: 2, pause: 3, prolong: 4, repair: 5, remove: 6, terms: 7 } as const;
type Kind = keyof typeof kinds;

const noEdit: Edit = { at: 0, kind: 0, aborted: 0, version: 0, total: 0, paused: 0, end: 0 };

export function operatorSteps(s: State, world: World, emit: Emit): void {
  if (s.editor.at === 0) beginEdits(s, world, emit);
  else editSteps(s, emit);
  if (s.late.kind > 0)
    emit('a late command of the editor that died arrives', 0, (n) => {
      if (n.late.kind === 1) applyEdit(n, n.late);
      else lowerTotal(n, n.late);
      n.late = { ...noEdit };
    });
  if (world.may.has('close')) closeSteps(s, emit);
  if (world.may.has('archive')) archiveSteps(s, emit);
  if (world.may.has('dead letters')) deadLetterSteps(s, emit);
  if (world.may.has('reconcile') && unknownIn(s) > 0)
    emit('the reconciler drops a state that does not know all issues', 0, (n) => drop(n));
  if (world.may.has('reconcile') && s.sql.lock === 0 && isAhead(s))
    emit('the reconciler makes Redis the home again', 0, moveHomeBack);
  if (world.may.has('reconcile') && lostIn(s).length > 0)
    emit('the reconciler offers again what MySQL lost', 0, offerLost);
}

/** Where an edit stands: 1 has the row lock, 2 has done its half in Redis, 3 is committed and not yet in Redis. */
function beginEdits(s: State, world: World, emit: Emit): void {
  if (s.sql.lock === 1 || s.sql.exists === 0) return;
  if (!holds('edit: the coupon is not archived', s.sql.archived === 0)) return;
  for (const kind of Object.keys(kinds) as Kind[]) {
    const isFree = kind === 'repair';
    if (!world.may.has(kind) || (!isFree && s.edits >= world.editsMax)) continue;
    if (kind === 'repair' && (s.sql.home === 0 || s.redis.run === 0)) continue;
    emit(`an edit begins: ${kind}`, 0, (n) => begin(n, kind, isFree));
  }
}

function begin(n: State, kind: Kind, isFree: boolean): void {
  if (!isFree) n.edits += 1;
  const { version, total, paused, end, home } = n.sql;
  n.editor = { at: 1, kind: kinds[kind], aborted: 0, version, total, paused, end };
  n.sql.lock = 1;
  // Then its half in Redis comes first.
  if (kind === 'raise' && home === 1 && isLeftOut('edit: raised in MySQL before Redis')) return;
  const isInMysqlAlone = home === 0 || isLeftOut('edit: lowered in Redis before MySQL');
  // Both need that nothing is issued, and that nothing is until they commit.
  const needsNoIssue = kind === 'remove' || kind === 'terms';
  if (kind === 'lower' && total - 1 < countRows(n)) abandon(n);
  else if (needsNoIssue && countRows(n) > 0) abandon(n);
  else if (
    needsNoIssue &&
    home === 0 &&
    !holds('remove: Redis knows no more than MySQL', !isAhead(n) && !isStranded(n))
  )
    abandon(n);
  else if (kind === 'raise' || kind === 'pause' || kind === 'prolong') commit(n);
  else if (kind === 'lower' && isInMysqlAlone) commit(n);
  else if (needsNoIssue && home === 0) commit(n);
}

function abandon(n: State): void {
  if (n.editor.aborted === 0) n.sql.lock = 0;
  n.editor = { ...noEdit };
}

/** The statement that changes the row, and COMMIT. */
function commit(n: State): void {
  const { editor, sql } = n;
  if (editor.aborted === 1) return abandon(n);
  sql.lock = 0;
  if (editor.kind === kinds.remove) {
    sql.exists = 0;
    if (n.users.some((user) => heldBy(user) > 0)) n.wrong = 5;
    n.editor = { ...noEdit };
    return;
  }
  if (editor.kind === kinds.terms) {
    if (n.users.some((user) => heldBy(user) > 0)) n.wrong = 8;
    sql.epoch += sql.home;
    sql.version += 1;
    sql.home = 0;
    n.editor = { ...noEdit };
    return;
  }
  if (editor.kind === kinds.raise) sql.total += 1;
  if (editor.kind === kinds.lower) sql.total -= 1;
  if (editor.kind === kinds.pause) sql.paused = 1 - sql.paused;
  if (editor.kind === kinds.prolong) sql.end = END_PROLONGED;
  sql.version = Math.max(sql.version, editor.kind === kinds.repair ? editor.version : 0) + 1;
  const { version, total, paused, end, home } = sql;
  n.editor = home === 0 ? { ...noEdit } : { at: 3, kind: editor.kind, aborted: 0, version, total, paused, end };
}

function editSteps(s: State, emit: Emit): void {
  const { editor } = s;
  emit('the editor dies', 0, (n) => {
    if (n.editor.at < 3 && n.editor.aborted === 0) n.sql.lock = 0;
    n.editor = { ...noEdit };
  });
  if (editor.at !== 2 && s.late.kind === 0 && (editor.at === 3 || editor.kind === kinds.lower))
    emit('the editor dies, and its last command is on its way', 0, (n) => {
      if (n.editor.at < 3 && n.editor.aborted === 0) n.sql.lock = 0;
      n.late = { ...n.editor, kind: n.editor.at === 3 ? 1 : 2 };
      n.editor = { ...noEdit };
    });
  if (editor.at < 3 && editor.aborted === 0)
    emit('MySQL ends the transaction of the editor', 0, (n) => {
      n.sql.lock = 0;
      n.editor.aborted = 1;
    });
  if (editor.at === 1) emit('the editor does its half in Redis', 0, halfInRedis);
  if (editor.at === 2) emit('the editor commits', 0, commit);
  if (editor.at === 3)
    emit('the editor brings its version to Redis', 0, (n) => {
      // Not open: whoever opens it next reads what was committed, or it is brought there again.
      if (applyEdit(n, n.editor) !== 'not open' || n.redis.opening === 0) n.editor = { ...noEdit };
    });
}

/** The call to Redis under the row lock. */
function halfInRedis(n: State): void {
  const { editor } = n;
  if (editor.kind === kinds.lower) {
    let lowered = lowerTotal(n, editor);
    if (lowered === 'other version') {
      applyEdit(n, editor);
      lowered = lowerTotal(n, editor);
    }
    if (lowered === 'lowered') editor.at = 2;
    else abandon(n);
  } else if (editor.kind === kinds.raise) {
    applyEdit(n, { ...editor, total: editor.total + 1, version: editor.version + 1 });
    editor.at = 2;
  } else if (editor.kind === kinds.remove || editor.kind === kinds.terms) {
    if (removeUnissued(n) === 'closed') editor.at = 2;
    else abandon(n);
  } else {
    const applied = applyEdit(n, editor);
    if (applied === 'different') {
      editor.version = Math.max(editor.version, n.redis.version);
      editor.at = 2;
    } else abandon(n);
  }
}

/** Closing: 1 was seen to be long over, 2 has freed Redis, 3 has seen that no entry waits. */
function closeSteps(s: State, emit: Emit): void {
  const { closer, sql } = s;
  const isLongOver = sql.exists === 1 && sql.home === 1 && s.time > sql.end && sql.lock === 0;
  const areRows = countOwners(s) <= countRows(s);
  if (closer.at === 0 && isLongOver && holds('close: every owner has a row', areRows))
    emit('closing: the coupon is long over', 0, (n) => void (n.closer = { at: 1, epoch: n.sql.epoch }));
  if (closer.at > 0) emit('closing: dies', 0, (n) => void (n.closer = { at: 0, epoch: 0 }));
  if (closer.at === 1)
    emit('closing: frees Redis', 0, (n) => {
      n.closer = close(n, n.closer.epoch) === 'closed' ? { ...n.closer, at: 2 } : { at: 0, epoch: 0 };
    });
  if (closer.at === 2)
    emit('closing: looks for entries', 0, (n) => {
      const isWritten = n.users.every((user) => user.stream === 0);
      const isBuried = n.users.some((user) => user.dead > 0);
      const isEmpty = holds('close: no entry waits', isWritten) && holds('close: no dead letter waits', !isBuried);
      n.closer = isEmpty ? { ...n.closer, at: 3 } : { at: 0, epoch: 0 };
    });
  if (closer.at === 3 && sql.lock === 0)
    emit('closing: makes MySQL the home', 0, (n) => {
      const isSame = holds('close: the epoch is the same under the row lock', n.sql.epoch === n.closer.epoch);
      if (n.sql.exists === 1 && n.sql.home === 1 && isSame) {
        n.sql.home = 0;
        n.sql.epoch = n.closer.epoch + 1;
      }
      n.closer = { at: 0, epoch: 0 };
    });
}

/** The coupon is marked, its rows are moved to a file, and back. A kill between two of these leaves what the next call goes on with. */
function archiveSteps(s: State, emit: Emit): void {
  const { sql, users } = s;
  if (sql.lock === 1 || sql.exists === 0) return;
  const isClosed = sql.home === 0 && s.time >= sql.end;
  const isEmpty = users.every(({ stream, dead }) => stream === 0 && dead === 0);
  if (sql.archived === 0 && isClosed && countRows(s) > 0 && holds('archive: nothing waits', isEmpty))
    emit('archiving: marks the coupon', 0, (n) => void (n.sql.archived = 1));
  if (sql.archived === 1 && countRows(s) > 0)
    emit('archiving: moves the rows to the file', 0, (n) => moveRows(n, true));
  if (sql.archived === 1 && countRows(s) === 0)
    emit('archiving: brings them back', 0, (n) => {
      moveRows(n, false);
      n.sql.archived = 0;
    });
}

function moveRows(n: State, toFile: boolean): void {
  for (const user of n.users) {
    const [filed = 0] = user.filed;
    user.filed = [toFile ? user.row || filed : 0];
    user.row = toFile ? 0 : filed || user.row;
  }
}

export function deadLetterSteps(s: State, emit: Emit): void {
  for (const [u, user] of s.users.entries()) {
    if (user.dead === 0) continue;
    emit('a dead letter is replayed: that of user', u + 1, (n) => replay(n, u));
    // What only Redis knows would go with the state. A restore takes longer than what a worker has still to settle.
    const isProven = s.redis.run === 0 || s.redis.run === s.server;
    const isKnown = isProven && lostIn(s).length === 0 && s.workers.every(({ at }) => at < 2);
    if (!holds('discard: what MySQL lost is written again', s.behind === 0 || isKnown)) continue;
    emit('a dead letter is discarded: that of user', u + 1, (n) => {
      if (isLeftOut('discard: the state goes in the same step')) {
        giveUpLetter(n, u);
        n.discarding = 1;
      } else discard(n, u);
    });
  }
  if (s.discarding === 0) return;
  emit('discarding: drops the state', 0, (n) => {
    drop(n);
    n.discarding = 0;
  });
  emit('discarding: dies', 0, (n) => void (n.discarding = 0));
}

/** MySQL went back to before the opening. */
export function moveHomeBack(n: State): void {
  if (n.sql.exists === 0) return;
  n.sql.home = 1;
  n.sql.epoch = n.redis.epoch;
}

/** Owners whose issues are nowhere else. */
export function lostIn(s: State): readonly User[] {
  if (s.redis.run !== s.server || countOwners(s) !== s.redis.next - 1 - s.redis.gap) return [];
  return s.users.filter((user) => user.owner > 0 && heldBy(user) === 0);
}

/** restore-entry.lua: their issues become entries again, under their sequences. */
export function offerLost(n: State): void {
  let [first, next] = [0, 0];
  for (const user of lostIn(n).toSorted((a, b) => a.owner - b.owner)) {
    // Neighbours are one entry.
    if (user.owner !== next) first = user.owner;
    next = user.owner + 1;
    Object.assign(user, { stream: user.owner, first, epoch: n.redis.epoch });
  }
}

/** `unknown` of an audit at one instant: issues that are there and that Redis does not know of. */
export function unknownIn(s: State): number {
  if (s.redis.run !== s.server || countOwners(s) !== s.redis.next - 1 - s.redis.gap) return 0;
  return Math.max(0, s.users.filter((user) => heldBy(user) > 0 && heldBy(user) < s.redis.next).length - countOwners(s));
}
