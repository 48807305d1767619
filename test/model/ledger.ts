// ledger.ts -- The one idempotent write of rows, as one transaction, by the product's own rule. Stands for `src/ledger/ledger.ts`.

import { type Issue as Row, planRows, type Present, renumber } from '../../src/ledger/plan.ts';
import { holds, isLeftOut } from './guards.ts';
import { countRows, highestRow, type State } from './state.ts';

/** An accepted issue of user `u`. */
export interface Issue {
  readonly u: number;
  readonly sequence: number;
  /** Of the entry. */
  readonly epoch: number;
}

/** What became of issues, by user. */
export interface Written {
  readonly renumbered: readonly number[];
  readonly superseded: readonly number[];
  readonly dead: readonly number[];
  readonly older: readonly number[];
}

/** Whether MySQL is asked to insert the bad data of a user: all issues where they fit, else only those that are planned to be rows. */
export function insertsBad(n: State, issues: readonly Issue[]): boolean {
  if (n.sql.exists === 0 || n.sql.archived === 1) return false;
  const left = n.sql.total - countRows(n);
  const rows = issues.map(toRow);
  const inserted = issues.length <= left ? rows : planRows(rows, presentIn(n, issues), left).rows;
  return inserted.some(({ userId, sequence }) => n.users[Number(userId)]?.bad === sequence);
}

const toRow = ({ u, sequence, epoch }: Issue): Row => ({
  couponId: 1,
  epoch,
  sequence,
  userId: String(u),
  acceptedMs: 0,
});

/** Writes issues in order of their sequences; the caller has seen that nobody holds the row lock. */
export function writeEntries(n: State, issues: readonly Issue[]): Written {
  const written: Written = { renumbered: [], superseded: [], dead: [], older: [] };
  const isArchived = !holds('ledger: the coupon is not archived', n.sql.archived === 0);
  if (n.sql.exists === 0 || isArchived) return { ...written, dead: issues.map(({ u }) => u) };
  const left = isLeftOut('ledger: stock is left') ? Number.POSITIVE_INFINITY : n.sql.total - countRows(n);
  const plan = planRows(issues.map(toRow), presentIn(n, issues), left);
  const renumbered = renumber(plan, highestRow(n));
  for (const { userId, sequence } of [...plan.rows, ...renumbered]) {
    const user = n.users[Number(userId)];
    if (!user) continue;
    if (user.row > 0) n.wrong = 7;
    user.row = sequence;
  }
  return {
    renumbered: renumbered.map(numberOf),
    superseded: plan.superseded.map(numberOf),
    dead: plan.dead.map(({ issue }) => numberOf(issue)),
    older: plan.rows.filter(({ epoch }) => epoch < n.sql.epoch).map(numberOf),
  };
}

const numberOf = ({ userId }: Row): number => Number(userId);

/** The rows that the ledger reads. Without a guard it does not look at those that the guard is about. */
function presentIn(n: State, issues: readonly Issue[]): Present {
  const sequenceOf = new Map<string, number>();
  const userOf = new Map<number, string>();
  for (const [u, { row }] of n.users.entries()) {
    if (row === 0) continue;
    const isSame = issues.some((issue) => issue.u === u && issue.sequence === row);
    if (isSame || !isLeftOut('ledger: the user has no row')) sequenceOf.set(String(u), row);
    if (!isLeftOut('ledger: the sequence is free')) userOf.set(row, String(u));
  }
  return { sequenceOf, userOf };
}
