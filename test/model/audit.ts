// audit.ts -- An audit as a process: its reads one by one, and what it then says against what was true meanwhile.
//
// Stands for `src/operations/audit.ts`. What it says must have been so at some instant of its reading, and what was so at every
// instant of it must be said. Where it stands: 1 has looked at the state, 2 to 4 have read the stream, the dead letters and the
// stream again, 5 has counted the rows.

import { holds, isLeftOut } from './guards.ts';
import type { Emit } from './issuers.ts';
import { look } from './scripts.ts';
import { countOwners, countRows, heldBy, type State, type World } from './state.ts';

/** What an audit has read, and what was true since it began. */
export interface Audit {
  at: number;
  next: number;
  owners: number;
  epoch: number;
  /** Whether a letter was added to the dead letters since it began to read the stream. */
  buried: number;
  total: number;
  /** For each sequence: whether it waits, as far as was read. */
  waits: number[];
  /** What it says, if the state is the same at its end. */
  missing: number;
  unknown: number;
  /** The most and the least since it began: issues that Redis gave and that are nowhere, and that Redis does not know. */
  lost: number[];
  strange: number[];
}

/** Sequences that a world with an audit may give. */
const SEQUENCES_MAX = 8;

export const newAudit = (): Audit => {
  const waits = Array.from({ length: SEQUENCES_MAX }, () => 0);
  const blank = { at: 0, next: 0, owners: 0, epoch: 0, buried: 0, total: 0, waits };
  return { ...blank, missing: 0, unknown: 0, lost: [0, 0], strange: [0, 0] };
};

/** The steps of a world with an audit: those of all others, each seen by the audit, and its own. */
export function watched(world: World, emit: Emit): Emit {
  if (!world.may.has('audit')) return emit;
  return (name, who, change) =>
    emit(name, who, (n) => {
      change(n);
      for (const audit of n.audits) note(n, audit);
    });
}

export function auditSteps(s: State, emit: Emit): void {
  for (const { at, epoch } of s.audits) {
    if (at === 0 && s.sql.exists === 1) emit('an audit looks at the state', 0, begin);
    if (at === 1) emit('an audit reads the stream', 0, (n) => read(n, 'stream'));
    if (at === 2) emit('an audit reads the dead letters', 0, (n) => read(n, 'dead'));
    if (at === 3) emit('an audit reads the stream again', 0, (n) => read(n, 'stream'));
    if (at === 4) emit('an audit counts the rows', 0, count);
    if (at === 5) emit('an audit looks at the state again', 0, (n) => say(n, epoch));
  }
}

function begin(n: State): void {
  const seen = look(n);
  const open = seen === 'not open' ? { next: 0, owners: 0, epoch: 0 } : { ...seen, owners: countOwners(n) };
  for (const user of n.users) user.given[0] = open.next > 0 ? user.owner : 0;
  const [audit] = n.audits;
  if (!audit) return;
  Object.assign(audit, newAudit(), { at: 1, next: open.next, owners: open.owners, epoch: open.epoch });
  const [lost, strange] = [lostIn(n), strangeIn(n)];
  Object.assign(audit, { lost: [lost, lost], strange: [strange, strange] });
}

function read(n: State, place: 'stream' | 'dead'): void {
  const [audit] = n.audits;
  if (!audit) return;
  audit.at += 1;
  // What a letter came from may have been a letter before, replayed behind the reader.
  const isPassed = holds('read: no dead letter was added meanwhile', audit.buried === 0);
  if (audit.at === 4 && !isPassed) Object.assign(audit, { at: 1, buried: 0 });
  audit.total = n.sql.total;
  for (const user of n.users) if (user[place] > 0) audit.waits[user[place]] = 1;
}

/** One statement: rows below the next sequence that were not seen waiting, and what was. */
function count(n: State): void {
  const [audit] = n.audits;
  if (!audit) return;
  audit.at = 5;
  // Of the same statement, if its guard is there.
  if (countRows(n) > (isLeftOut('audit: the total is read with the rows') ? audit.total : n.sql.total)) n.wrong = 4;
  if (audit.next === 0) return;
  const isBelow = (sequence: number): boolean => sequence > 0 && sequence < audit.next;
  const rows = n.users.filter(({ row }) => isBelow(row) && audit.waits[row] === 0).length;
  const waiting = audit.waits.filter((waits, sequence) => waits > 0 && isBelow(sequence)).length;
  audit.missing = Math.max(0, audit.owners - rows - waiting);
  audit.unknown = Math.max(0, rows + waiting - audit.owners);
}

/** What it found counts only if the state is still the same. */
function say(n: State, epoch: number): void {
  const [audit] = n.audits;
  if (!audit) return;
  const seen = look(n);
  const isSame = holds('audit: the state is the same at the end', seen !== 'not open' && seen.epoch === epoch);
  if (audit.next > 0 && isSame && isFalse(audit)) n.wrong = 4;
  Object.assign(audit, newAudit());
  for (const user of n.users) user.given[0] = 0;
}

function isFalse({ missing, unknown, lost, strange }: Audit): boolean {
  const [lostMost = 0, lostLeast = 0] = lost;
  const [strangeMost = 0, strangeLeast = 0] = strange;
  if (missing > lostMost || unknown > strangeMost) return true;
  // It counts: as many that are nowhere as Redis does not know are not seen.
  return missing - unknown !== 0 ? false : lostLeast > strangeMost || strangeLeast > lostMost;
}

/** Issues that Redis gave before the audit looked, and that are nowhere now. */
function lostIn(s: State): number {
  return s.users.filter(({ given: [given = 0] }) => given > 0 && !isSomewhere(s, given)).length;
}

function isSomewhere(s: State, sequence: number): boolean {
  return s.users.some(({ row, stream, dead }) => row === sequence || stream === sequence || dead === sequence);
}

/**
 * Issues below the next sequence that Redis does not know of. A sequence that a row and an entry have is one: the worker gives the
 * entry another one, and drops the state.
 */
function strangeIn(s: State): number {
  const isKnown = (sequence: number): boolean => s.users.some(({ owner }) => owner === sequence);
  const held = new Set(s.users.map(heldBy));
  return [...held].filter((sequence) => sequence > 0 && sequence < s.redis.next && !isKnown(sequence)).length;
}

function note(n: State, audit: Audit): void {
  if (audit.at === 0) return;
  const [lost, strange] = [lostIn(n), strangeIn(n)];
  audit.lost = [Math.max(audit.lost[0] ?? 0, lost), Math.min(audit.lost[1] ?? 0, lost)];
  audit.strange = [Math.max(audit.strange[0] ?? 0, strange), Math.min(audit.strange[1] ?? 0, strange)];
}
