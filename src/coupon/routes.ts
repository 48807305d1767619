// routes.ts -- The operators' routes: coupons over their life. None of them works without the key of this installation.

import { type Static, Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Authority } from '../auth/authority.ts';
import { bodyReader } from '../http/body.ts';
import { operation } from '../http/openapi.ts';
import { cutPage, type Page, pageParameters, readPage } from '../http/pagination.ts';
import { invalid, problem } from '../http/problem.ts';
import { IfMatchParameter, readIfMatch, versionTag } from '../http/etag.ts';
import type { Refusal } from './outcome.ts';
import type { Coupon, CouponChanges, NewCoupon } from './coupon.ts';
import { CouponId, readCouponId } from './ids.ts';
import {
  CouponAnswer,
  CouponChangesRequest,
  faultOf,
  NewCouponRequest,
  toAnswer,
  toChanges,
  toNewCoupon,
} from './json.ts';

export interface CouponDependencies {
  readonly config: { readonly BODY_BYTES_MAX: number };
  readonly authority: Pick<Authority, 'guard'>;
  readonly catalog: {
    create(coupon: NewCoupon): Promise<Coupon>;
    /** null: no such coupon */
    read(id: number): Promise<Coupon | null>;
    /** At most `limit` coupons with ids above `afterId`, in order of id. */
    list(page: Page): Promise<readonly Coupon[]>;
  };
  /** Changes that keep the promises while the coupon is being issued. `versions`: only these are changed; null for any. */
  readonly editor: {
    edit(
      id: number,
      changes: CouponChanges,
      versions: readonly number[] | null,
    ): Promise<{ readonly kind: 'edited'; readonly coupon: Coupon } | EditRefusal>;
    remove(id: number, versions: readonly number[] | null): Promise<{ readonly kind: 'removed' } | EditRefusal>;
    /** Makes the stock ready in Redis, or says why there is nothing to open. */
    open(id: number): Promise<'open' | Refusal>;
  };
}

/** Why nothing was changed. */
type EditRefusal =
  | { readonly kind: 'not exist' | 'other version' | 'no period' }
  | { readonly kind: 'issued'; readonly issued: number };

/** A page of coupons. */
export const CouponPage = Type.Object({
  coupons: Type.Array(Type.Ref('#/components/schemas/Coupon'), { description: 'in order of id' }),
  next: Type.Union([CouponId, Type.Null()], { description: '`after` of the next page; null on the last' }),
});

/** The schemas by the names that the document gives them. */
export const couponSchemas = {
  CouponDraft: NewCouponRequest,
  CouponChanges: CouponChangesRequest,
  Coupon: CouponAnswer,
  CouponPage,
};

/** `/v1/coupons` and what is below it, for operators. */
export function couponRoutes({ config, authority, catalog, editor }: CouponDependencies) {
  const refuse = authority.guard('admin');
  const refuseReader = authority.guard('read');
  const readNew = bodyReader(NewCouponRequest, config.BODY_BYTES_MAX);
  const readChanges = bodyReader(CouponChangesRequest, config.BODY_BYTES_MAX);
  return new Elysia({ name: 'coupons' })
    .post('/v1/coupons', ({ request }) => refuse(request) ?? answerCreate(catalog, request, readNew), {
      parse: 'none',
      detail: createOperation,
    })
    .get('/v1/coupons', ({ request }) => refuseReader(request) ?? answerPage(catalog, request), {
      detail: listOperation,
    })
    .get('/v1/coupons/:id', ({ request, params }) => refuseReader(request) ?? answerCoupon(catalog, params.id), {
      detail: readOperation,
    })
    .patch(
      '/v1/coupons/:id',
      ({ request, params }) => refuse(request) ?? answerEdit(editor, params.id, request, readChanges),
      { parse: 'none', detail: editOperation },
    )
    .delete('/v1/coupons/:id', ({ request, params }) => refuse(request) ?? answerRemove(editor, params.id, request), {
      parse: 'none',
      detail: removeOperation,
    })
    .post('/v1/coupons/:id/open', ({ request, params }) => refuse(request) ?? answerOpen(editor, catalog, params.id), {
      parse: 'none',
      detail: openOperation,
    });
}

type Reader<Body> = (request: Request) => Promise<Body | Response> | Response;

async function answerCreate(
  catalog: CouponDependencies['catalog'],
  request: Request,
  readBody: Reader<Static<typeof NewCouponRequest>>,
): Promise<Response> {
  const body = await readBody(request);
  if (body instanceof Response) return body;
  const coupon = toNewCoupon(body);
  if (Array.isArray(coupon)) return invalid(coupon);
  const created = await catalog.create(coupon);
  return show(created, 201, { location: `/v1/coupons/${created.id}` });
}

async function answerCoupon(catalog: CouponDependencies['catalog'], idText: string): Promise<Response> {
  const id = readCouponId(idText);
  if (typeof id === 'object') return invalid([id]);
  const coupon = await catalog.read(id);
  return coupon ? show(coupon) : problem('COUPON_NOT_EXIST');
}

async function answerPage(catalog: CouponDependencies['catalog'], request: Request): Promise<Response> {
  const page = readPage(request);
  if (page instanceof Response) return page;
  // One more than requested shows whether there is a next page.
  const found = await catalog.list({ ...page, limit: page.limit + 1 });
  const { items, next } = cutPage(found, page, ({ id }) => id);
  return Response.json({ coupons: items.map(toAnswer), next }, { headers: noStore });
}

async function answerEdit(
  editor: CouponDependencies['editor'],
  idText: string,
  request: Request,
  readBody: Reader<Static<typeof CouponChangesRequest>>,
): Promise<Response> {
  const target = readTarget(idText, request);
  if (target instanceof Response) return target;
  const body = await readBody(request);
  if (body instanceof Response) return body;
  const changes = toChanges(body);
  if (Array.isArray(changes)) return invalid(changes);
  const edited = await editor.edit(target.id, changes, target.versions);
  return edited.kind === 'edited' ? show(edited.coupon) : refuseEdit(edited, 'COUPON_TOTAL_BELOW_ISSUED');
}

async function answerRemove(editor: CouponDependencies['editor'], idText: string, request: Request): Promise<Response> {
  const target = readTarget(idText, request);
  if (target instanceof Response) return target;
  const removed = await editor.remove(target.id, target.versions);
  if (removed.kind !== 'removed') return refuseEdit(removed, 'COUPON_HAS_ISSUES');
  return new Response(null, { status: 204, headers: noStore });
}

async function answerOpen(
  editor: CouponDependencies['editor'],
  catalog: CouponDependencies['catalog'],
  idText: string,
): Promise<Response> {
  const id = readCouponId(idText);
  if (typeof id === 'object') return invalid([id]);
  const opened = await editor.open(id);
  if (opened === 'open') return answerCoupon(catalog, idText);
  if (opened.kind === 'not exist') return problem('COUPON_NOT_EXIST');
  return problem('INVALID_COUPON_ISSUE_DATE', 'This coupon is over: there is nothing left to open.');
}

/** Which coupon, and at which versions, a request is to change. */
function readTarget(idText: string, request: Request) {
  const id = readCouponId(idText);
  const versions = readIfMatch(request);
  const wrong = [id, versions].filter((read) => read !== null && typeof read === 'object' && 'expected' in read);
  if (typeof id === 'object' || (versions && 'expected' in versions)) return invalid(wrong);
  return { id, versions };
}

function refuseEdit(refused: EditRefusal, whenIssued: 'COUPON_TOTAL_BELOW_ISSUED' | 'COUPON_HAS_ISSUES'): Response {
  switch (refused.kind) {
    case 'not exist':
      return problem('COUPON_NOT_EXIST');
    case 'other version':
      return problem('PRECONDITION_FAILED');
    case 'no period':
      return invalid([faultOf('dateIssueEnd')]);
    case 'issued': {
      const members = whenIssued === 'COUPON_TOTAL_BELOW_ISSUED' ? { issuedQuantity: refused.issued } : {};
      return problem(whenIssued, undefined, members);
    }
  }
}

function show(coupon: Coupon, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(toAnswer(coupon), {
    status,
    headers: { ...noStore, ...versionTag(coupon.version), ...headers },
  });
}

/** For operators only, and changing with every issue: no cache may keep it. */
const noStore = { 'cache-control': 'no-store' };

/** Examples are issued when they are sent as they stand: the period is this year and the next. */
const thisYear = new Date().getUTCFullYear();

const newCouponExample = {
  title: 'Winter sale: 5,000 off',
  totalQuantity: 1000,
  discountAmount: 5000,
  minAvailableAmount: 20_000,
  dateIssueStart: `${thisYear}-01-01T00:00:00+09:00`,
  dateIssueEnd: `${thisYear + 2}-01-01T00:00:00+09:00`,
};

const couponExample: Static<typeof CouponAnswer> = {
  ...newCouponExample,
  id: 1,
  couponType: 'FIRST_COME_FIRST_SERVED',
  issuedQuantity: 0,
  dateIssueStart: `${thisYear - 1}-12-31T15:00:00.000Z`,
  dateIssueEnd: `${thisYear + 1}-12-31T15:00:00.000Z`,
  paused: false,
  version: 1,
  dateCreated: '2026-11-22T08:30:00.000Z',
  dateUpdated: '2026-11-22T08:30:00.000Z',
};

const idParameter = { name: 'id', in: 'path', schema: CouponId, example: 1 } as const;

const tagHeader = { ETag: 'The version of the coupon, for `If-Match`.' };

const operatorProblems = ['UNAUTHENTICATED', 'FORBIDDEN', 'FAIL_COUPON_ISSUE_REQUEST'] as const;

const createOperation = operation({
  operationId: 'createCoupon',
  tag: 'operators',
  operator: true,
  summary: 'Create a coupon',
  description: 'It can be issued through all three endpoints as soon as its period begins.',
  body: {
    schema: 'CouponDraft',
    examples: {
      limited: { summary: 'A thousand pieces', value: newCouponExample },
      unlimited: { summary: 'Without limit', value: { ...newCouponExample, totalQuantity: null } },
    },
  },
  answers: {
    201: {
      description: 'Created.',
      headers: { Location: 'Where the coupon can be read.', ...tagHeader },
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

const listOperation = operation({
  operationId: 'listCoupons',
  tag: 'operators',
  operator: true,
  summary: 'List coupons',
  description: 'In order of id. The next page is `?after=` with `next` of this one.',
  parameters: pageParameters,
  answers: { 200: { description: 'A page.', schema: 'CouponPage', example: { coupons: [couponExample], next: null } } },
  problems: [...operatorProblems, 'INVALID_REQUEST'],
});

const readOperation = operation({
  operationId: 'readCoupon',
  tag: 'operators',
  operator: true,
  summary: 'Read a coupon',
  description: 'As MySQL knows it now.',
  parameters: [idParameter],
  answers: { 200: { description: 'The coupon.', headers: tagHeader, schema: 'Coupon', example: couponExample } },
  problems: [...operatorProblems, 'COUPON_NOT_EXIST', 'INVALID_REQUEST'],
});

const editOperation = operation({
  operationId: 'editCoupon',
  tag: 'operators',
  operator: true,
  summary: 'Change a coupon',
  description: `What is not named stays as it is. The answer comes when the change is in effect in both stores; other processes
follow within a second. A total is never lowered below what was issued. With \`If-Match\` only the version that you have seen is
changed.`,
  parameters: [idParameter, IfMatchParameter],
  body: {
    schema: 'CouponChanges',
    examples: {
      pause: { summary: 'Stop issuing for now', value: { paused: true } },
      total: { summary: 'Another total', value: { totalQuantity: 2000 } },
      end: { summary: 'Another end', value: { dateIssueEnd: `${thisYear + 2}-02-01T00:00:00+09:00` } },
    },
  },
  answers: {
    200: {
      description: 'The coupon as it is now, with its new version.',
      headers: tagHeader,
      schema: 'Coupon',
      example: { ...couponExample, paused: true, version: 2 },
    },
  },
  problems: [
    ...operatorProblems,
    'COUPON_NOT_EXIST',
    'COUPON_TOTAL_BELOW_ISSUED',
    'PRECONDITION_FAILED',
    'MALFORMED_REQUEST',
    'INVALID_REQUEST',
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
  ],
});

const removeOperation = operation({
  operationId: 'deleteCoupon',
  tag: 'operators',
  operator: true,
  summary: 'Delete a coupon',
  description: 'Only while it has no issues.',
  parameters: [idParameter, IfMatchParameter],
  answers: { 204: { description: 'Deleted.' } },
  problems: [...operatorProblems, 'COUPON_NOT_EXIST', 'COUPON_HAS_ISSUES', 'PRECONDITION_FAILED', 'INVALID_REQUEST'],
});

const openOperation = operation({
  operationId: 'openCoupon',
  tag: 'operators',
  operator: true,
  summary: 'Open a coupon ahead of its rush',
  description: `Makes its stock ready in Redis, which otherwise the first asynchronous request does. Issuing still begins at its
start. Doing it again changes nothing.`,
  parameters: [idParameter],
  answers: {
    200: { description: 'The coupon is open.', headers: tagHeader, schema: 'Coupon', example: couponExample },
  },
  problems: [...operatorProblems, 'COUPON_NOT_EXIST', 'INVALID_COUPON_ISSUE_DATE', 'INVALID_REQUEST'],
});
