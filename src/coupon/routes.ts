// routes.ts -- The operators' routes: create, list and read coupons. None of them works without the key of this installation.

import { type Static, Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Authority } from '../http/auth.ts';
import { bodyReader } from '../http/body.ts';
import { told } from '../http/document.ts';
import { formatInstant, INSTANT_PATTERN, parseInstant } from '../http/instant.ts';
import { type Fault, invalid, problem } from '../http/problem.ts';
import { type Coupon, ID_MAX, type NewCoupon } from './coupon.ts';
import { CouponId, readCouponId } from './identifier.ts';

export interface CouponDependencies {
  readonly config: { readonly BODY_BYTES_MAX: number };
  readonly authority: Pick<Authority, 'guard'>;
  readonly catalog: {
    create(coupon: NewCoupon): Promise<Coupon>;
    /** null: no such coupon */
    read(id: number): Promise<Coupon | null>;
    /** At most `limit` coupons with ids above `afterId`, in order of id. */
    list(page: { readonly afterId: number; readonly limit: number }): Promise<readonly Coupon[]>;
  };
}

const AMOUNT_MAX = 2 ** 32 - 1;
const PAGE_DEFAULT = 20;
const PAGE_MAX = 100;

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
    maxLength: 200,
    pattern: '\\S',
    description: 'what it is called: 1 to 200 characters, not all blank',
  }),
  totalQuantity: Type.Union([Type.Integer({ minimum: 1, maximum: ID_MAX }), Type.Null()], {
    description: `how many may be issued: an integer from 1 to ${ID_MAX}, or null for no limit`,
  }),
  discountAmount: amount('what it takes off'),
  minAvailableAmount: amount('the smallest order it can be used for'),
  dateIssueStart: instant('the first instant at which it is issued'),
  dateIssueEnd: instant('the first instant at which it is no longer issued, after dateIssueStart'),
};

/** Body that creates a coupon. */
export const NewCouponRequest = Type.Object(fields, { additionalProperties: false });

/** A coupon as callers see it. */
export const CouponAnswer = Type.Object({
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
  version: Type.Integer({ minimum: 1, description: 'rises with every edit' }),
  dateCreated: instant('when it was created'),
  dateUpdated: instant('when it was last changed'),
});

/** A page of coupons. */
export const CouponPage = Type.Object({
  coupons: Type.Array(Type.Ref('#/components/schemas/Coupon'), { description: 'in order of id' }),
  next: Type.Union([CouponId, Type.Null()], { description: '`after` of the next page; null on the last' }),
});

/** The schemas by the names that the document gives them. */
export const couponSchemas = { NewCoupon: NewCouponRequest, Coupon: CouponAnswer, CouponPage };

/** `POST` and `GET /v1/coupons`, `GET /v1/coupons/:id`. */
export function couponRoutes({ config, authority, catalog }: CouponDependencies) {
  const refuse = authority.guard('admin');
  const refuseReader = authority.guard('read');
  const readBody = bodyReader(NewCouponRequest, config.BODY_BYTES_MAX);
  return new Elysia({ name: 'coupons' })
    .post(
      '/v1/coupons',
      async ({ request }) => {
        const body = refuse(request) ?? (await readBody(request));
        if (body instanceof Response) return body;
        const coupon = toNewCoupon(body);
        if (Array.isArray(coupon)) return invalid(coupon);
        const created = await catalog.create(coupon);
        return Response.json(toAnswer(created), {
          status: 201,
          headers: { ...noStore, location: `/v1/coupons/${created.id}` },
        });
      },
      { parse: 'none', detail: createTold },
    )
    .get('/v1/coupons', ({ request }) => refuseReader(request) ?? answerPage(catalog, request), { detail: listTold })
    .get('/v1/coupons/:id', ({ request, params }) => refuseReader(request) ?? answerCoupon(catalog, params.id), {
      detail: readTold,
    });
}

async function answerCoupon(catalog: CouponDependencies['catalog'], idText: string): Promise<Response> {
  const id = readCouponId(idText);
  if (typeof id === 'object') return invalid([id]);
  const coupon = await catalog.read(id);
  return coupon ? Response.json(toAnswer(coupon), { headers: noStore }) : problem('COUPON_NOT_EXIST');
}

async function answerPage(catalog: CouponDependencies['catalog'], request: Request): Promise<Response> {
  const query = new URL(request.url).searchParams;
  const afterId = readWhole(query.get('after') ?? '0', 0, ID_MAX);
  const limit = readWhole(query.get('limit') ?? String(PAGE_DEFAULT), 1, PAGE_MAX);
  if (afterId === null || limit === null) {
    const faults: Fault[] = [];
    if (afterId === null) faults.push({ in: 'query', pointer: '/after', expected: AfterParameter.description });
    if (limit === null) faults.push({ in: 'query', pointer: '/limit', expected: LimitParameter.description });
    return invalid(faults);
  }
  // One more than asked for tells whether there is a next page.
  const found = await catalog.list({ afterId, limit: limit + 1 });
  const coupons = found.slice(0, limit);
  const next = found.length > limit ? (coupons.at(-1)?.id ?? null) : null;
  return Response.json({ coupons: coupons.map(toAnswer), next }, { headers: noStore });
}

function readWhole(text: string, minimum: number, maximum: number): number | null {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : -1;
  return value >= minimum && value <= maximum ? value : null;
}

/** What the schema cannot say: instants that exist, in order, and text that every store can hold. */
function toNewCoupon(body: Static<typeof NewCouponRequest>): NewCoupon | Fault[] {
  const startMs = parseInstant(body.dateIssueStart);
  const endMs = parseInstant(body.dateIssueEnd);
  const wrong: (keyof typeof fields)[] = [];
  // Half a surrogate pair has no UTF-8: MySQL would store something else than was sent.
  if (!body.title.isWellFormed()) wrong.push('title');
  if (startMs === null) wrong.push('dateIssueStart');
  if (endMs === null || (startMs !== null && endMs <= startMs)) wrong.push('dateIssueEnd');
  if (startMs === null || endMs === null || wrong.length > 0) {
    return wrong.map((name) => ({ in: 'body', pointer: `/${name}`, expected: fields[name].description ?? name }));
  }
  const { title, totalQuantity, discountAmount, minAvailableAmount } = body;
  return { title, totalQuantity, discountAmount, minAvailableAmount, startMs, endMs };
}

function toAnswer(coupon: Coupon): Static<typeof CouponAnswer> {
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
    version: coupon.version,
    dateCreated: formatInstant(coupon.createdMs),
    dateUpdated: formatInstant(coupon.updatedMs),
  };
}

/** For operators only, and changing with every issue: no cache may keep it. */
const noStore = { 'cache-control': 'no-store' };

const AfterParameter = {
  ...Type.Integer({ minimum: 0, maximum: ID_MAX, default: 0 }),
  description: `id of a coupon, an integer from 0 to ${ID_MAX}: only coupons with higher ids are listed`,
};
const LimitParameter = {
  ...Type.Integer({ minimum: 1, maximum: PAGE_MAX, default: PAGE_DEFAULT }),
  description: `coupons on a page: an integer from 1 to ${PAGE_MAX}`,
};

const newCouponExample = {
  title: 'Winter sale: 5,000 off',
  totalQuantity: 1000,
  discountAmount: 5000,
  minAvailableAmount: 20_000,
  dateIssueStart: '2026-12-01T10:00:00+09:00',
  dateIssueEnd: '2027-01-01T00:00:00+09:00',
};

const couponExample: Static<typeof CouponAnswer> = {
  ...newCouponExample,
  id: 1,
  couponType: 'FIRST_COME_FIRST_SERVED',
  issuedQuantity: 0,
  dateIssueStart: '2026-12-01T01:00:00.000Z',
  dateIssueEnd: '2026-12-31T15:00:00.000Z',
  paused: false,
  version: 1,
  dateCreated: '2026-11-22T08:30:00.000Z',
  dateUpdated: '2026-11-22T08:30:00.000Z',
};

const operatorProblems = ['UNAUTHENTICATED', 'FORBIDDEN', 'FAIL_COUPON_ISSUE_REQUEST'] as const;

const createTold = told({
  tag: 'coupons',
  operator: true,
  summary: 'Create a coupon',
  description: 'It can be issued through all three endpoints as soon as its period begins.',
  body: {
    schema: 'NewCoupon',
    examples: {
      limited: { summary: 'A thousand pieces', value: newCouponExample },
      unlimited: { summary: 'Without limit', value: { ...newCouponExample, totalQuantity: null } },
    },
  },
  answers: {
    201: {
      description: 'Created.',
      headers: { Location: 'Where the coupon can be read.' },
      schema: 'Coupon',
      example: couponExample,
    },
  },
  problems: [
    ...operatorProblems,
    'MALFORMED_REQUEST',
    'INVALID_REQUEST',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
  ],
});

const listTold = told({
  tag: 'coupons',
  operator: true,
  summary: 'List coupons',
  description: 'In order of id. The next page is `?after=` with `next` of this one.',
  parameters: [
    { name: 'after', in: 'query', schema: AfterParameter, example: 0 },
    { name: 'limit', in: 'query', schema: LimitParameter, example: 20 },
  ],
  answers: { 200: { description: 'A page.', schema: 'CouponPage', example: { coupons: [couponExample], next: null } } },
  problems: [...operatorProblems, 'INVALID_REQUEST'],
});

const readTold = told({
  tag: 'coupons',
  operator: true,
  summary: 'Read a coupon',
  description: 'As MySQL knows it now.',
  parameters: [{ name: 'id', in: 'path', schema: CouponId, example: 1 }],
  answers: { 200: { description: 'The coupon.', schema: 'Coupon', example: couponExample } },
  problems: [...operatorProblems, 'COUPON_NOT_EXIST', 'INVALID_REQUEST'],
});
