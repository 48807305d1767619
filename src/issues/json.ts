// json.ts -- An issue as JSON: its status about one user and one coupon, and the row of a list.

import { type Static, Type } from '@sinclair/typebox';
import type { Codes } from '../codes/codes.ts';
import { endpoints } from '../coupon/accepted-by.ts';
import { CouponId, UserId } from '../coupon/ids.ts';
import { formatInstant, formatOptional } from '../http/instant.ts';
import type { FeedIssue } from './feed.ts';
import type { IssueStatus, OwnedIssue } from './status.ts';

/** The code of an issue, in an answer. */
export const Code = Type.Union([Type.String(), Type.Null()], {
  description: 'The code of the issue; null if the coupon has no codes, or while the issue is not yet a row.',
});

/** What is shown of an issue that is a row needs its code. */
export interface CodesDependency {
  readonly codes: Pick<Codes, 'codesOf'>;
}

/** The code of one issue that is a row; null where the coupon has none. Throws as `Codes` does. */
export async function codeOf(
  codes: CodesDependency['codes'],
  couponId: number,
  sequence: number,
): Promise<string | null> {
  const [code = null] = await codes.codesOf([{ couponId, sequence }]);
  return code;
}

/** The number of an issue, in an answer. */
export const Sequence = Type.Integer({ minimum: 1, description: 'Number of the issue within its coupon, from 1.' });

const optionalText = (description: string) => Type.Union([Type.String(), Type.Null()], { description });

/** What changes of a row, and when it can be used. */
const life = {
  usableFrom: optionalText('The first instant at which it can be used, in UTC; null without such a bound.'),
  usableUntil: optionalText('The first instant at which it can no longer be used, in UTC; null without such a bound.'),
  dateUsed: optionalText('When it was used, in UTC; null while it is not.'),
  reference: optionalText('What it was used for, such as the id of an order; null where nothing was named.'),
  dateRevoked: optionalText('When an operator ended it, in UTC; null while it counts.'),
};

/** Answer about one user and one coupon. */
export const IssueState = Type.Object(
  {
    couponId: CouponId,
    userId: UserId,
    sequence: Type.Union([Sequence, Type.Null()], {
      description: 'Number of the issue; null with `NONE` and `ARCHIVED`.',
    }),
    code: Code,
    status: Type.String({
      enum: ['NONE', 'ACCEPTED', 'ISSUED', 'USED', 'EXPIRED', 'REVOKED', 'ARCHIVED'],
      description:
        '`NONE`: not issued. `ACCEPTED`: not yet a row, so that the members below are null. `ISSUED`: a row. `USED`: redeemed. ' +
        '`EXPIRED`: not used until its end. `REVOKED`: ended by an operator. ' +
        '`ARCHIVED`: the issues of this coupon were moved to a file, in which it would be found.',
    }),
    ...life,
  },
  { $id: 'IssueState' },
);

/** A row. */
const written = {
  code: Code,
  status: Type.String({ enum: ['ISSUED', 'USED', 'EXPIRED', 'REVOKED'] }),
  dateIssued: Type.String({ description: 'When it was accepted, in UTC.' }),
  dateWritten: Type.String({ description: 'When its row was written, in UTC.' }),
  ...life,
  endpoint: Type.Union([Type.String({ enum: [...endpoints] }), Type.Null()], {
    description: 'The endpoint that accepted it; null if unknown, for example for issues of earlier releases.',
  }),
};

/** A row, as operators see it. */
export const CouponIssueAnswer = Type.Object(
  { couponId: CouponId, sequence: Sequence, userId: UserId, ...written },
  { $id: 'CouponIssue' },
);

export const couponIssueExample = {
  couponId: 1,
  sequence: 37,
  userId: '42',
  code: 'SUMMER-K7WQ-3N9X',
  status: 'ISSUED',
  dateIssued: '2026-12-01T01:00:00.123Z',
  dateWritten: '2026-12-01T01:00:00.187Z',
  usableFrom: null,
  usableUntil: null,
  dateUsed: null,
  reference: null,
  dateRevoked: null,
  endpoint: 'POST /v2/issue-async',
};

/** A row, as its user sees it. */
export const OwnedIssueAnswer = Type.Object(
  {
    couponId: CouponId,
    sequence: Sequence,
    ...written,
    title: Type.String({ description: 'The title of the coupon.' }),
    discountAmount: Type.Integer({ description: 'The discount, in the smallest unit of the currency.' }),
    minAvailableAmount: Type.Integer({
      description: 'The minimum order, in the smallest unit of the currency.',
    }),
    currency: Type.String({ description: 'A code of ISO 4217.' }),
  },
  { $id: 'OwnedIssue' },
);

/** What every route about one issue answers. */
export function toIssueState(
  issueOf: { readonly couponId: number; readonly userId: string },
  status: IssueStatus,
  code: string | null,
): Static<typeof IssueState> {
  const sequence = 'sequence' in status ? status.sequence : null;
  return {
    ...issueOf,
    sequence,
    code,
    status: status.kind.toUpperCase(),
    ...lifeOf('issuedMs' in status ? status : nothing),
  };
}

export function toOwnedIssue(issue: OwnedIssue, code: string | null): Static<typeof OwnedIssueAnswer> {
  const { couponId, sequence, title, discountAmount, minAvailableAmount, currency } = issue;
  return { couponId, sequence, ...toWritten(issue, code), title, discountAmount, minAvailableAmount, currency };
}

export function toCouponIssue(
  couponId: number,
  issue: FeedIssue,
  code: string | null,
): Static<typeof CouponIssueAnswer> {
  const { sequence, userId } = issue;
  return { couponId, sequence, userId, ...toWritten(issue, code) };
}

function toWritten(
  issue: Pick<OwnedIssue, 'kind' | 'issuedMs' | 'writtenMs' | 'endpoint'> & Life,
  code: string | null,
) {
  return {
    code,
    status: issue.kind.toUpperCase(),
    dateIssued: formatInstant(issue.issuedMs),
    dateWritten: formatInstant(issue.writtenMs),
    ...lifeOf(issue),
    endpoint: issue.endpoint,
  };
}

type Life = Pick<OwnedIssue, 'usableFromMs' | 'usableUntilMs' | 'usedMs' | 'reference' | 'revokedMs'>;

const nothing: Life = { usableFromMs: null, usableUntilMs: null, usedMs: null, reference: null, revokedMs: null };

function lifeOf({ usableFromMs, usableUntilMs, usedMs, reference, revokedMs }: Life) {
  return {
    usableFrom: formatOptional(usableFromMs),
    usableUntil: formatOptional(usableUntilMs),
    dateUsed: formatOptional(usedMs),
    reference,
    dateRevoked: formatOptional(revokedMs),
  };
}
