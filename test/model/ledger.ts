// ledger.ts -- The one idempotent write of rows, as one transaction. Stands for `src/ledger/ledger.ts`.

import { holds } from './guards.ts';
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
  readonly renumbered: number[];
  readonly superseded: number[];
  readonly dead: number[];
  readonly older: number[];
}

/** Writes issues in order of their sequences; the caller has seen that nobody holds the row lock. */
export function writeEntries(n: State, issues: readonly Issue[]): Written {
  const written: Written = { renumbered: [], superseded: [], dead: [], older: [] };
  if (n.sql.exists === 0) return { ...written, dead: issues.map(({ u }) => u) };
  const conflicts: number[] = [];
  let left = n.sql.total - countRows(n);
  for (const { u, sequence, epoch } of issues) {
    const user = n.users[u];
    if (!user || user.row === sequence) continue;
    if (!holds('ledger: the user has no row', user.row === 0)) written.superseded.push(u);
    else if (!holds('ledger: stock is left', left > 0)) written.dead.push(u);
    else {
      left -= 1;
      const isFree = n.users.every((other) => other.row !== sequence);
      if (holds('ledger: the sequence is free', isFree)) {
        user.row = sequence;
        if (epoch < n.sql.epoch) written.older.push(u);
      } else conflicts.push(u);
    }
  }
  for (const u of conflicts) {
    const user = n.users[u];
    if (user) user.row = highestRow(n) + 1;
    written.renumbered.push(u);
  }
  return written;
}
