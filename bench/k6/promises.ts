// What must hold of a coupon after a run, judged on the system's own audit of it. Pure, so that it is tested without k6.

/** The part of `GET /v1/coupons/:couponId/audit` that is judged. */
export interface Audit {
  readonly totalQuantity: number | null;
  readonly issuedQuantity: number;
  readonly rows: number;
  readonly unpersisted: number;
  readonly dead: number;
  readonly missing: number;
  readonly unknown: number;
  readonly unexpected: number;
  readonly outsidePeriod: number;
}

/** Each promise by its name: whether the audit keeps it. `runsOut`: more was asked for than there is. */
export function promisesIn(audit: Audit, runsOut: boolean): Readonly<Record<string, boolean>> {
  const { totalQuantity, rows } = audit;
  return {
    'P1: never too many':
      audit.unexpected === 0 && audit.issuedQuantity === rows && (totalQuantity === null || rows <= totalQuantity),
    'P2: never twice': audit.unknown === 0,
    // A run that issued nothing shows nothing.
    'P3: never a broken word': rows > 0 && audit.unpersisted + audit.dead + audit.missing === 0,
    'P4: never too few': !runsOut || rows === totalQuantity,
    'P5: never outside the time': audit.outsidePeriod === 0,
  };
}
