// listing.ts -- Which coupons a list shows and in which order: what callers may ask for, and the SQL for it.
//
// Orders by id use the primary key. The others, the search and the count read the whole table of coupons, which has a row for each coupon and
// not for each issue: operators ask for them, and ten thousand rows take some milliseconds.

import { Type } from '@sinclair/typebox';
import { and, asc, desc, eq, gt, lt, or, type SQL, sql } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { type Page, pageParameters } from '../http/pagination.ts';

const SEARCH_LENGTH_MAX = 200;
const SKIP_MAX = 1_000_000;

const orders = ['oldest', 'newest', 'start', 'issued', 'title'] as const;
const states = ['any', 'open', 'not started', 'paused', 'sold out', 'ended', 'archived'] as const;
type Order = (typeof orders)[number];
type State = (typeof states)[number];

export interface CouponQuery extends Page {
  readonly skip?: number;
  readonly order?: Order;
  readonly state?: State;
  /** A part of the title, or an id; empty: all. */
  readonly search?: string;
}

const oneOf = <Value extends string>(values: readonly Value[], what: string) =>
  Type.Unsafe<Value>(
    Type.String({ enum: [...values], default: values[0], description: `${what}: ${values.join(', ')}` }),
  );

const skip = Type.Integer({
  minimum: 0,
  maximum: SKIP_MAX,
  default: 0,
  description: `how many to skip: an integer from 0 to ${SKIP_MAX}`,
});

const search = Type.String({
  maxLength: SEARCH_LENGTH_MAX,
  default: '',
  description: `a part of the title in whatever case, or an id: at most ${SEARCH_LENGTH_MAX} characters`,
});

/** Reads a text that is one of the values of a schema. */
const textReader =
  <Value extends string>(values: readonly Value[]) =>
  (text: string | null): Value | undefined =>
    text === null ? values[0] : values.find((value) => value === text);

export const listParameters = {
  ...pageParameters,
  skip: { schema: skip, example: 0 },
  order: {
    schema: oneOf(orders, 'by id, by the start (the latest first), by what is issued (the most first) or by title'),
    example: 'oldest',
    read: textReader(orders),
  },
  state: {
    schema: oneOf(states, 'what the coupon is doing now, as far as its rows say'),
    example: 'any',
    read: textReader(states),
  },
  search: { schema: search, example: '' },
};

/** Whether pages can go on after an id. */
export function isKeyset({ order = 'oldest' }: Pick<CouponQuery, 'order'>): boolean {
  return order === 'oldest' || order === 'newest';
}

/** `matches`: all coupons of the list; `onPage`: those from `after` on. */
export function listParts({ after, order = 'oldest', state = 'any', search: text = '' }: CouponQuery) {
  const matches = and(stateIs[state], text === '' ? undefined : isFound(text));
  const beyond = order === 'oldest' ? gt(coupons.id, after) : lt(coupons.id, after);
  return {
    matches,
    onPage: after > 0 && isKeyset({ order }) ? and(matches, beyond) : matches,
    orderBy: orderOf[order],
  };
}

const now = sql`UTC_TIMESTAMP(3)`;
const isHere = sql`${coupons.dateArchived} IS NULL`;
const isRunning = and(isHere, eq(coupons.paused, false), sql`${coupons.dateIssueStart} <= ${now}`);
const isNow = and(isRunning, sql`${coupons.dateIssueEnd} > ${now}`);
const isGone = sql`${coupons.totalQuantity} IS NOT NULL AND ${coupons.issuedQuantity} >= ${coupons.totalQuantity}`;

/** In the order of the rules: each leaves out what those before it have. */
const stateIs: Readonly<Record<State, SQL | undefined>> = {
  any: undefined,
  archived: sql`${coupons.dateArchived} IS NOT NULL`,
  paused: and(isHere, eq(coupons.paused, true)),
  'not started': and(isHere, eq(coupons.paused, false), sql`${coupons.dateIssueStart} > ${now}`),
  ended: and(isRunning, sql`${coupons.dateIssueEnd} <= ${now}`),
  'sold out': and(isNow, sql`(${isGone})`),
  open: and(isNow, sql`NOT (${isGone})`),
};

const orderOf: Readonly<Record<Order, readonly SQL[]>> = {
  oldest: [asc(coupons.id)],
  newest: [desc(coupons.id)],
  start: [desc(coupons.dateIssueStart), desc(coupons.id)],
  issued: [desc(coupons.issuedQuantity), desc(coupons.id)],
  title: [asc(coupons.title), asc(coupons.id)],
};

/** By `LOCATE`, for which no character of the text means anything. */
function isFound(text: string): SQL | undefined {
  const inTitle = sql`LOCATE(${text}, ${coupons.title}) > 0`;
  return /^[1-9]\d{0,14}$/.test(text) ? or(eq(coupons.id, Number(text)), inTitle) : inTitle;
}
