// json.ts -- A coupon as JSON: what operators may send of it, and what they receive. What the schemas cannot say of a
// value is said here too, so that nothing that a store cannot hold gets past this file.

import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { formatOptional, formatInstant, INSTANT_PATTERN, parseInstant } from '../http/instant.ts';
import type { Fault } from '../http/problem.ts';
import { isReadable } from '../http/text.ts';
import { type Coupon, type CouponChanges, ID_MAX, type CouponDraft } from './coupon.ts';
import { CouponId } from './ids.ts';
import { contradictionIn, termDefaults } from './terms.ts';
import { isTimeZone, TIME_ZONE_PATTERN } from './time-zone.ts';

const AMOUNT_MAX = 2 ** 32 - 1;
const USABLE_DAYS_MAX = 3650;
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
    description: `the title: 1 to ${TITLE_LENGTH_MAX} characters, not all blank, in one line`,
  }),
  totalQuantity: Type.Union([Type.Integer({ minimum: 1, maximum: ID_MAX }), Type.Null()], {
    description: `the number of coupons: an integer from 1 to ${ID_MAX}, or null for no limit`,
  }),
  discountAmount: amount('the discount'),
  minAvailableAmount: amount('the minimum order'),
  dateIssueStart: instant('the first instant at which it is issued'),
  dateIssueEnd: instant('the first instant at which it is no longer issued, after dateIssueStart'),
};

const orNull = <Schema extends TSchema>(schema: Schema, what: string) =>
  Type.Union([schema, Type.Null()], { description: `${schema.description ?? ''}; null: ${what}` });

/** What need not be said of a coupon. */
const terms = {
  currency: Type.String({
    pattern: '^[A-Z]{3}$',
    description: 'the currency of its amounts: an ISO 4217 code; KRW by default',
  }),
  usableFrom: orNull(instant('the first instant at which an issue can be used'), 'from the start'),
  usableUntil: orNull(
    instant('the first instant at which it can no longer be used, after usableFrom and dateIssueStart'),
    'without end',
  ),
  usableDays: orNull(
    Type.Integer({
      minimum: 1,
      maximum: USABLE_DAYS_MAX,
      description:
        'how many days after the day of issue it can be used, until the end of that day in timeZone: an integer ' +
        `from 1 to ${USABLE_DAYS_MAX}, without usableFrom and usableUntil`,
    }),
    'not counted in days',
  ),
  timeZone: Type.String({
    pattern: TIME_ZONE_PATTERN,
    description: 'the time zone of these days: an IANA name such as Asia/Seoul; UTC by default',
  }),
};

const listed = Type.Boolean({
  description:
    'whether anyone, and not only operators, may read it at `/v1/drops` and follow it: true or false; false by default',
});

/** Body that creates a coupon. */
export const CouponDraftRequest = Type.Object(
  { ...fields, ...Type.Partial(Type.Object(terms)).properties, listed: Type.Optional(listed) },
  { $id: 'CouponDraft', additionalProperties: false },
);

/** Body that changes a coupon: any of its members, at least one. */
export const CouponChangesRequest = Type.Partial(
  Type.Object({
    ...fields,
    ...terms,
    listed,
    paused: Type.Boolean({ description: 'whether issuing is paused: true or false' }),
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
    ...terms,
    dateIssueStart: fields.dateIssueStart,
    dateIssueEnd: fields.dateIssueEnd,
    paused: Type.Boolean({ description: 'whether an operator has paused issuing' }),
    listed,
    dateArchived: Type.Union([instant('when its issues were moved to a file'), Type.Null()], {
      description:
        'when its issues were moved to a file; since then it cannot be issued, used or edited; null if it is not archived',
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
  const draft = {
    ...changes,
    title,
    totalQuantity,
    discountAmount,
    minAvailableAmount,
    startMs,
    endMs,
    listed: isListed,
  };
  const member = contradictionIn({ ...termDefaults, ...draft });
  return member === null ? draft : [faultOf(member)];
}

/**
 * Changes to a coupon, or everything that is wrong with them: instants that are none or not in order, an unreadable title, a time zone
 * or currency that there is not.
 */
export function toChanges(body: Static<typeof CouponChangesRequest>): CouponChanges | Fault[] {
  const { dateIssueStart, dateIssueEnd, usableFrom, usableUntil, ...rest } = body;
  const faults: Fault[] = [];
  const refuse = (name: keyof typeof members) => void faults.push(faultOf(name));
  if (Object.keys(body).length === 0) faults.push(nothingNamed);
  if (body.title !== undefined && !isReadable(body.title, TITLE_LENGTH_MAX)) refuse('title');
  if (body.timeZone !== undefined && !isTimeZone(body.timeZone)) refuse('timeZone');
  if (body.currency !== undefined && !currencies.has(body.currency)) refuse('currency');
  const read = (name: keyof typeof members, text: string | null | undefined) => {
    if (typeof text !== 'string') return text;
    const ms = parseInstant(text);
    if (ms === null) refuse(name);
    return ms ?? undefined;
  };
  const startMs = read('dateIssueStart', dateIssueStart) ?? undefined;
  const endMs = read('dateIssueEnd', dateIssueEnd) ?? undefined;
  const usableFromMs = read('usableFrom', usableFrom);
  const usableUntilMs = read('usableUntil', usableUntil);
  if (startMs !== undefined && endMs !== undefined && endMs <= startMs) refuse('dateIssueEnd');
  if (faults.length > 0) return faults;
  return {
    ...rest,
    ...(startMs !== undefined && { startMs }),
    ...(endMs !== undefined && { endMs }),
    ...(usableFromMs !== undefined && { usableFromMs }),
    ...(usableUntilMs !== undefined && { usableUntilMs }),
  };
}

const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));
const members = { ...fields, ...terms };

/** The fault of a member of the body. */
export function faultOf(name: keyof typeof members): Fault {
  return { in: 'body', pointer: `/${name}`, expected: members[name].description ?? name };
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
    currency: coupon.currency,
    usableFrom: formatOptional(coupon.usableFromMs),
    usableUntil: formatOptional(coupon.usableUntilMs),
    usableDays: coupon.usableDays,
    timeZone: coupon.timeZone,
    dateIssueStart: formatInstant(coupon.startMs),
    dateIssueEnd: formatInstant(coupon.endMs),
    paused: coupon.paused,
    listed: coupon.listed,
    dateArchived: formatOptional(coupon.archivedMs),
    version: coupon.version,
    dateCreated: formatInstant(coupon.createdMs),
    dateUpdated: formatInstant(coupon.updatedMs),
  };
}
