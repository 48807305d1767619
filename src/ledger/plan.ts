// plan.ts -- The pure rule of the ledger: which issues become rows, given the rows that stand in their way.

import type { Endpoint } from '../coupon/accepted-by.ts';

/** One issue: a row, or what should become one. */
export interface Issue {
  readonly couponId: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly userId: string;
  readonly acceptedMs: number;
  /** The id under which it was accepted, if the user was erased since: `userId` is then their pseudonym. */
  readonly erasedId?: string;
  readonly endpoint?: Endpoint | undefined;
}

export interface DeadIssue {
  readonly issue: Issue;
  readonly reason: 'no such coupon' | 'no stock left' | 'coupon is archived';
}

/** Rows of a coupon, read under its lock. */
export interface Present {
  readonly sequenceOf: ReadonlyMap<string, number>;
  readonly userOf: ReadonlyMap<number, string>;
}

/** What becomes of issues of one coupon; see `Written` of ledger.ts. */
export interface Plan {
  readonly unchanged: number;
  readonly superseded: readonly Issue[];
  readonly dead: readonly DeadIssue[];
  /** To be inserted as they are. */
  readonly rows: readonly Issue[];
  /** To be inserted under other sequences, since theirs are taken. */
  readonly conflicts: readonly Issue[];
}

/**
 * Sorts out the issues of one coupon.
 *
 * @param issues sorted by sequence
 * @param left how many more rows the coupon may have
 */
export function planRows(issues: readonly Issue[], present: Present, left: number): Plan {
  const sequenceOf = new Map(present.sequenceOf);
  const taken = new Set(present.userOf.keys());
  const plan = { rows: [] as Issue[], conflicts: [] as Issue[], superseded: [] as Issue[] };
  const dead: DeadIssue[] = [];
  let unchanged = 0;
  for (const issue of issues) {
    const owned = sequenceOf.get(issue.userId);
    if (owned === issue.sequence) unchanged += 1;
    else if (owned !== undefined) plan.superseded.push({ ...issue, sequence: owned });
    else if (plan.rows.length + plan.conflicts.length >= left) dead.push({ issue, reason: 'no stock left' });
    else {
      (taken.has(issue.sequence) ? plan.conflicts : plan.rows).push(issue);
      sequenceOf.set(issue.userId, issue.sequence);
      taken.add(issue.sequence);
    }
  }
  return { ...plan, dead, unchanged };
}

/** Gives issues whose sequence is taken the numbers after the highest, in order. */
export function renumber({ rows, conflicts }: Plan, highestRow: number): Issue[] {
  const last = Math.max(highestRow, rows.at(-1)?.sequence ?? 0);
  return conflicts.map((issue, i) => ({ ...issue, sequence: last + 1 + i }));
}
