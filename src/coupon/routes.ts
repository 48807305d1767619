// routes.ts -- The operators' routes: coupons over their life. None of them works without the key of this installation.

import { type Static, Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import type { Authority } from '../auth/authority.ts';
import { bodyReader } from '../http/body.ts';
import { cutPage, type Page, readPage } from '../http/pagination.ts';
import { invalid, problem } from '../http/problem.ts';
import { readIfMatch, versionTag } from '../http/etag.ts';
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
import {
  createOperation,
  editOperation,
  listOperation,
  openOperation,
  readOperation,
  removeOperation,
} from './route-docs.ts';

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
