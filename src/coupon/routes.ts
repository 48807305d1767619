// routes.ts -- The operators' routes: coupons over their life. None of them works without a key of this installation.

import { Type } from '@sinclair/typebox';
import type { Actor } from '../auth/audit-trail.ts';
import { type Authority, operatorOf, operatorsWith } from '../auth/authority.ts';
import { ifMatch, versionTag } from '../http/etag.ts';
import { cutPage } from '../http/pagination.ts';
import { invalid, problem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import type { Catalog } from './catalog.ts';
import type { Coupon, CouponChanges } from './coupon.ts';
import { CouponId, couponIdParameter } from './ids.ts';
import {
  CouponAnswer,
  CouponChangesRequest,
  CouponDraftRequest,
  faultOf,
  toAnswer,
  toChanges,
  toCouponDraft,
} from './json.ts';
import { isKeyset, listParameters } from './listing.ts';
import type { Refusal } from './outcome.ts';
import type { Contradiction } from './terms.ts';
import { thisYear, draftExample, usableExample, couponExample } from './examples.ts';

export interface CouponDependencies {
  readonly config: { readonly BODY_BYTES_MAX: number };
  readonly authority: Pick<Authority, 'guard' | 'prepare'>;
  readonly catalog: Catalog;
  /** Changes that keep the promises while the coupon is being issued. `versions`: only these are changed; null for any. */
  readonly editor: {
    edit(
      id: number,
      changes: CouponChanges,
      versions: readonly number[] | null,
      by: Actor,
    ): Promise<{ readonly kind: 'edited'; readonly coupon: Coupon } | EditRefusal>;
    remove(
      id: number,
      versions: readonly number[] | null,
      by: Actor,
    ): Promise<{ readonly kind: 'removed' } | EditRefusal>;
    /** Makes the stock ready in Redis, or says why there is nothing to open. */
    open(id: number, by: Actor): Promise<'open' | Refusal>;
  };
}

/** Why nothing was changed. */
type EditRefusal =
  | { readonly kind: 'not exist' | 'other version' | 'terms fixed' | 'too few codes' | 'archived' }
  | { readonly kind: 'contradiction'; readonly member: Contradiction }
  | { readonly kind: 'issued'; readonly issued: number };

/** A page of coupons. */
const CouponPage = Type.Object(
  {
    coupons: Type.Array(CouponAnswer, { description: 'in the order that was asked for' }),
    next: Type.Union([CouponId, Type.Null()], {
      description: '`after` of the next page; null on the last, and in orders that are not by id',
    }),
    total: Type.Integer({ minimum: 0, description: 'how many coupons there are on all pages' }),
  },
  { $id: 'CouponPage' },
);

/** `/v1/coupons` and what is below it, for operators. */
export function couponRoutes(dependencies: CouponDependencies) {
  return [
    createRoute(dependencies),
    listRoute(dependencies),
    readRoute(dependencies),
    editRoute(dependencies),
    deleteRoute(dependencies),
    openRoute(dependencies),
  ] as const;
}

const tagHeader = { ETag: 'The version of the coupon, for `If-Match`.' };
const answerOf = (description: string, example = couponExample) =>
  ({ description, headers: tagHeader, schema: CouponAnswer, example }) as const;
const replyOf = (coupon: Coupon) => ({ body: toAnswer(coupon), headers: versionTag(coupon.version) });

function createRoute({ authority, catalog, config }: CouponDependencies) {
  return route(
    'POST',
    '/v1/coupons',
    {
      operationId: 'createCoupon',
      tag: 'operators',
      summary: 'Create a coupon',
      description: 'It can be issued through all three endpoints from the start of its period on.',
      access: operatorsWith(authority, 'admin'),
      body: {
        schema: CouponDraftRequest,
        bytesMax: config.BODY_BYTES_MAX,
        examples: {
          limited: { summary: 'A thousand pieces', value: draftExample },
          listed: { summary: 'Listed: anyone may read it', value: { ...draftExample, listed: true } },
          usable: { summary: 'Can be used for 30 days', value: { ...draftExample, ...usableExample } },
          unlimited: { summary: 'Without limit', value: { ...draftExample, totalQuantity: null } },
        },
      },
      answers: {
        201: {
          ...answerOf('Created.'),
          headers: { Location: 'Where the coupon can be read.', ...tagHeader },
        },
      },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, body }) => {
      const draft = toCouponDraft(body);
      if (Array.isArray(draft)) return invalid(draft);
      const { body: created, headers } = replyOf(await catalog.create(draft, operatorOf(request)));
      return { body: created, headers: { ...headers, location: `/v1/coupons/${created.id}` } };
    },
  );
}

function listRoute({ authority, catalog }: CouponDependencies) {
  return route(
    'GET',
    '/v1/coupons',
    {
      operationId: 'listCoupons',
      tag: 'operators',
      summary: 'List coupons',
      description: `In order of id, unless another one is asked for. The next page is \`?after=\` with \`next\` of this one, which misses
nothing that is made meanwhile; or \`?skip=\`, in every order and in both directions.`,
      access: operatorsWith(authority, 'read'),
      query: listParameters,
      answers: {
        200: {
          description: 'A page.',
          schema: CouponPage,
          example: { coupons: [couponExample], next: null, total: 1 },
        },
      },
      problems: ['FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ query }) => {
      // One more than requested shows whether there is a next page.
      const found = await catalog.list({ ...query, limit: query.limit + 1 });
      const { items, next } = cutPage(found.coupons, query, ({ id }) => id);
      return { body: { coupons: items.map(toAnswer), next: isKeyset(query) ? next : null, total: found.total } };
    },
  );
}

function readRoute({ authority, catalog }: CouponDependencies) {
  return route(
    'GET',
    '/v1/coupons/:couponId',
    {
      operationId: 'readCoupon',
      tag: 'operators',
      summary: 'Read a coupon',
      description: 'As MySQL knows it now.',
      access: operatorsWith(authority, 'read'),
      params: { couponId: couponIdParameter },
      answers: { 200: answerOf('The coupon.') },
      problems: ['COUPON_NOT_EXIST', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ params }) => {
      const coupon = await catalog.read(params.couponId);
      return coupon ? replyOf(coupon) : problem('COUPON_NOT_EXIST');
    },
  );
}

function editRoute({ authority, editor, config }: CouponDependencies) {
  return route(
    'PATCH',
    '/v1/coupons/:couponId',
    {
      operationId: 'editCoupon',
      tag: 'operators',
      summary: 'Change a coupon',
      description: `Members that are not sent stay unchanged. The answer is sent when the change is in effect in both stores; other processes
follow within a second. A total cannot be lowered below the number of issues, and once the coupon has issues, its amounts, currency and
period of use are fixed. With \`If-Match\`, the change is made only if the version is still the same.`,
      access: operatorsWith(authority, 'admin'),
      params: { couponId: couponIdParameter },
      headers: { 'If-Match': ifMatch },
      body: {
        schema: CouponChangesRequest,
        bytesMax: config.BODY_BYTES_MAX,
        examples: {
          pause: { summary: 'Stop issuing for now', value: { paused: true } },
          total: { summary: 'Change the total', value: { totalQuantity: 2000 } },
          listed: { summary: 'Announce it', value: { listed: true } },
          end: { summary: 'Another end', value: { dateIssueEnd: `${thisYear + 2}-02-01T00:00:00+09:00` } },
        },
      },
      answers: {
        200: answerOf('The coupon as it is now, with its new version.', { ...couponExample, paused: true, version: 2 }),
      },
      problems: [
        'COUPON_NOT_EXIST',
        'COUPON_TOTAL_BELOW_ISSUED',
        'COUPON_TERMS_FIXED',
        'COUPON_TOTAL_ABOVE_CODES',
        'COUPON_ARCHIVED',
        'PRECONDITION_FAILED',
        'FAIL_COUPON_ISSUE_REQUEST',
      ],
    },
    async ({ request, params, headers, body }) => {
      const changes = toChanges(body);
      if (Array.isArray(changes)) return invalid(changes);
      const edited = await editor.edit(params.couponId, changes, headers['If-Match'], operatorOf(request));
      if (edited.kind === 'edited') return replyOf(edited.coupon);
      if (edited.kind !== 'issued') return refuseEdit(edited);
      return problem('COUPON_TOTAL_BELOW_ISSUED', undefined, { issuedQuantity: edited.issued });
    },
  );
}

function deleteRoute({ authority, editor }: CouponDependencies) {
  return route(
    'DELETE',
    '/v1/coupons/:couponId',
    {
      operationId: 'deleteCoupon',
      tag: 'operators',
      summary: 'Delete a coupon',
      description: 'Only while it has no issues.',
      access: operatorsWith(authority, 'admin'),
      params: { couponId: couponIdParameter },
      headers: { 'If-Match': ifMatch },
      answers: { 204: { description: 'Deleted.' } },
      problems: ['COUPON_NOT_EXIST', 'COUPON_HAS_ISSUES', 'PRECONDITION_FAILED', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params, headers }) => {
      const removed = await editor.remove(params.couponId, headers['If-Match'], operatorOf(request));
      if (removed.kind === 'removed') return {};
      return removed.kind === 'issued' ? problem('COUPON_HAS_ISSUES') : refuseEdit(removed);
    },
  );
}

function openRoute({ authority, editor, catalog }: CouponDependencies) {
  return route(
    'POST',
    '/v1/coupons/:couponId/open',
    {
      operationId: 'openCoupon',
      tag: 'operators',
      summary: 'Open a coupon ahead of its rush',
      description: `Loads its stock into Redis; otherwise the first asynchronous request does. Issuing still begins at the start of the
period. Idempotent.`,
      access: operatorsWith(authority, 'admin'),
      params: { couponId: couponIdParameter },
      answers: { 200: answerOf('The coupon is open.') },
      problems: ['COUPON_NOT_EXIST', 'INVALID_COUPON_ISSUE_DATE', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params }) => {
      const [opened] = await Promise.all([editor.open(params.couponId, operatorOf(request)), authority.prepare()]);
      if (opened !== 'open' && opened.kind !== 'not exist') {
        return problem('INVALID_COUPON_ISSUE_DATE', 'This coupon has ended and cannot be opened.');
      }
      const coupon = opened === 'open' ? await catalog.read(params.couponId) : null;
      return coupon ? replyOf(coupon) : problem('COUPON_NOT_EXIST');
    },
  );
}

function refuseEdit(refused: Exclude<EditRefusal, { readonly kind: 'issued' }>): Response {
  switch (refused.kind) {
    case 'not exist':
      return problem('COUPON_NOT_EXIST');
    case 'other version':
      return problem('PRECONDITION_FAILED');
    case 'archived':
      return problem('COUPON_ARCHIVED');
    case 'terms fixed':
      return problem('COUPON_TERMS_FIXED');
    case 'contradiction':
      return invalid([faultOf(refused.member)]);
    case 'too few codes':
      return problem('COUPON_TOTAL_ABOVE_CODES');
  }
}
