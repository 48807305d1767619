// json.ts -- A coupon as JSON: what operators may send of it, and what they receive. What the schemas cannot say of a
// value is said here too, so that nothing that a store cannot hold gets past this file.

import { type Static, Type } from '@sinclair/typebox';
import { formatInstant, INSTANT_PATTERN, parseInstant } from '../http/instant.ts';
import type { Fault } from '../http/problem.ts';
import { isReadable } from '../http/text.ts';
import { type Coupon, type CouponChanges, ID_MAX, type CouponDraft } from './coupon.ts';
import { CouponId } from './ids.ts';

const AMOUNT_MAX = 2 ** 32 - 1;
const TITLE_LENGTH_MAX = 200;

const amount = (what: string) =>
  Type.Integer({
    minimum: 0,
    maximum: AMOUNT_MAX,
    description: `${what}, in the smallest unit of the currency: an integer from 0 to ${AMOUNT_MAX}`,
  });

const instant = (what: string) =>
  Type.String({
    pattern: INSTANT_PATTERN,
    description: `${what}: RFC 3339 with an offset, from 1970 to 9999, at most milliseconds`,
  });

const fields = {
  title: Type.String({
    minLength: 1,
    // Of TypeBox it would count UTF-16 units: see `openapi-schema.ts`.
    codePointsMax: TITLE_LENGTH_MAX,
    description: `what it is called: 1 to ${TITLE_LENGTH_MAX} characters, not all blank, in one line`,
  }),
  totalQuantity: Type.Union([Type.Integer({ minimum: 1, maximum: ID_MAX }), Type.Null()], {
    description: `how many may be issued: an integer from 1 to ${ID_MAX}, or null for no limit`,
  }),
  discountAmount: amount('what it takes off'),
  minAvailableAmount: amount('the smallest order it can be used for'),
  dateIssueStart: instant('the first instant at which it is issued'),
  dateIssueEnd: instant('the first instant at which it is no longer issued, after dateIssueStart'),
};

const listed = Type.Boolean({
  description:
    'whether anyone may read it at `/v1/drops` and follow it: true or false; only operators until then, as at first',
});

/** Body that creates a coupon. */
export const CouponDraftRequest = Type.Object(
  { ...fields, listed: Type.Optional(listed) },
  { $id: 'CouponDraft', additionalProperties: false },
);

/** Body that changes a coupon: any of its members, at least one. */
export const CouponChangesRequest = Type.Partial(
  Type.Object({
    ...fields,
    listed,
    paused: Type.Boolean({ description: 'whether issuing is stopped for now: true or false' }),
  }),
  { $id: 'CouponChanges', additionalProperties: false, description: 'At least one of its members.' },
);

/** A coupon as callers see it. */
export const CouponAnswer = Type.Object(
  {
    id: CouponId,
    title: fields.title,
    couponType: Type.Literal('FIRST_COME_FIRST_SERVED'),
    totalQuantity: fields.totalQuantity,
    issuedQuantity: Type.Integer({
      minimum: 0,
      description: 'rows in MySQL; accepted issues that are not yet rows are missing',
    }),
    discountAmount: fields.discountAmount,
    minAvailableAmount: fields.minAvailableAmount,
    dateIssueStart: fields.dateIssueStart,
    dateIssueEnd: fields.dateIssueEnd,
    paused: Type.Boolean({ description: 'whether an operator has stopped issuing for now' }),
    listed,
    dateArchived: Type.Union([instant('when its issues were moved to a file'), Type.Null()], {
      description:
        'when its issues were moved to a file, since which it cannot be issued, used or changed; null while they are here',
    }),
    version: Type.Integer({ minimum: 1, description: 'rises with every edit' }),
    dateCreated: instant('when it was created'),
    dateUpdated: instant('when it was last changed'),
  },
  { $id: 'Coupon' },
);

/** A coupon to be made, or everything that is wrong with it. */
export function toCouponDraft(body: Static<typeof CouponDraftRequest>): CouponDraft | Fault[] {
  const changes = toChanges(body);
  if (Array.isArray(changes)) return changes;
  const { startMs, endMs } = changes;
  if (startMs === undefined || endMs === undefined) return [faultOf('dateIssueStart')];
  const { title, totalQuantity, discountAmount, minAvailableAmount, listed: isListed = false } = body;
  return { title, totalQuantity, discountAmount, minAvailableAmount, startMs, endMs, listed: isListed };
}

/** Changes to a coupon, or everything that is wrong with them: instants that are none or not in order, an unreadable title. */
export function toChanges(body: Static<typeof CouponChangesRequest>): CouponChanges | Fault[] {
  const { dateIssueStart, dateIssueEnd, ...rest } = body;
  const startMs = dateIssueStart === undefined ? undefined : parseInstant(dateIssueStart);
  const endMs = dateIssueEnd === undefined ? undefined : parseInstant(dateIssueEnd);
  const faults: Fault[] = [];
  if (Object.keys(body).length === 0) faults.push(nothingNamed);
  if (body.title !== undefined && !isReadable(body.title, TITLE_LENGTH_MAX)) faults.push(faultOf('title'));
  if (startMs === null) faults.push(faultOf('dateIssueStart'));
  if (endMs === null || (typeof startMs === 'number' && endMs !== undefined && endMs <= startMs)) {
    faults.push(faultOf('dateIssueEnd'));
  }
  if (startMs === null || endMs === null || faults.length > 0) return faults;
  return { ...rest, ...(startMs !== undefined && { startMs }), ...(endMs !== undefined && { endMs }) };
}

/** The fault of a member of the body. */
export function faultOf(name: keyof typeof fields): Fault {
  return { in: 'body', pointer: `/${name}`, expected: fields[name].description ?? name };
}

const nothingNamed: Fault = {
  in: 'body',
  pointer: '',
  expected: `at least one of ${Object.keys(CouponChangesRequest.properties).join(', ')}`,
};

/** A coupon as callers see it. */
export function toAnswer(coupon: Coupon): Static<typeof CouponAnswer> {
  return {
    id: coupon.id,
    title: coupon.title,
    couponType: coupon.couponType,
    totalQuantity: coupon.totalQuantity,
    issuedQuantity: coupon.issuedQuantity,
    discountAmount: coupon.discountAmount,
    minAvailableAmount: coupon.minAvailableAmount,
    dateIssueStart: formatInstant(coupon.startMs),
    dateIssueEnd: formatInstant(coupon.endMs),
    paused: coupon.paused,
    listed: coupon.listed,
    dateArchived: coupon.archivedMs === null ? null : formatInstant(coupon.archivedMs),
    version: coupon.version,
    dateCreated: formatInstant(coupon.createdMs),
    dateUpdated: formatInstant(coupon.updatedMs),
  };
}
