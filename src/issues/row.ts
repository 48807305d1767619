// row.ts -- The row of an issue as MySQL has it, and what it says together with the terms of its coupon: its status, and until when it can
// be used.

import { couponIssues } from '../../drizzle/schema.ts';
import { type OptionalTerms, type UsablePeriod, usablePeriod } from '../coupon/terms.ts';
import { clockMs } from '../mysql/database.ts';

/** One row. */
export interface Row {
  readonly sequence: number;
  /** When it was accepted. */
  readonly issuedMs: number;
  /** Null until it is used. */
  readonly usedMs: number | null;
  /** What it was used for; null where nothing was named. */
  readonly reference: string | null;
  /** Null until it is revoked. */
  readonly revokedMs: number | null;
  /** The clock of MySQL when the row was read. */
  readonly nowMs: number;
}

/** What there is of an issue that is a row. `expired`: not used until its end. */
export type RowStatus = 'issued' | 'used' | 'expired' | 'revoked';

/** An issue that is a row. */
export interface WrittenIssue extends Omit<Row, 'nowMs'>, UsablePeriod {
  readonly kind: RowStatus;
}

/** The columns of a row, for `select`. */
export const rowColumns = {
  sequence: couponIssues.sequence,
  dateIssued: couponIssues.dateIssued,
  dateUsed: couponIssues.dateUsed,
  reference: couponIssues.reference,
  dateRevoked: couponIssues.dateRevoked,
  nowMs: clockMs,
};

/** What was selected with `rowColumns`. */
export function toRow({ sequence, reference, nowMs, ...dates }: SelectedRow): Row {
  return {
    sequence,
    reference,
    nowMs,
    issuedMs: dates.dateIssued.getTime(),
    usedMs: dates.dateUsed?.getTime() ?? null,
    revokedMs: dates.dateRevoked?.getTime() ?? null,
  };
}

type SelectedRow = Pick<
  typeof couponIssues.$inferSelect,
  'sequence' | 'dateIssued' | 'dateUsed' | 'reference' | 'dateRevoked'
> & { readonly nowMs: number };

/** The issue as it was when its row was read. */
export function toWrittenIssue({ nowMs, ...row }: Row, terms: OptionalTerms): WrittenIssue {
  const period = usablePeriod(terms, row.issuedMs);
  return { kind: statusOf(row, period, nowMs), ...row, ...period };
}

function statusOf(row: Omit<Row, 'nowMs'>, { usableUntilMs }: UsablePeriod, nowMs: number): RowStatus {
  if (row.revokedMs !== null) return 'revoked';
  if (row.usedMs !== null) return 'used';
  return usableUntilMs !== null && nowMs >= usableUntilMs ? 'expired' : 'issued';
}
