// status.ts -- What has become of a user's request for a coupon, looked up later. It tells the truth that P3 promises.

/**
 * How far an issue has come.
 *
 * `accepted` is in Redis and not yet a row; `issued` is a row in MySQL; `used` is a row that has been redeemed.
 */
export type IssueStatus =
  | { readonly kind: 'none' }
  | { readonly kind: 'accepted' | 'issued' | 'used'; readonly sequence: number };
