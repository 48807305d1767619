// route-docs.ts -- What the document says of the operators' routes about coupons.

import type { Static } from '@sinclair/typebox';
import { IfMatchParameter } from '../http/etag.ts';
import { operation } from '../http/openapi.ts';
import { pageParameters } from '../http/pagination.ts';
import { CouponId } from './ids.ts';
import type { CouponAnswer } from './json.ts';

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

export const createOperation = operation({
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

export const listOperation = operation({
  operationId: 'listCoupons',
  tag: 'operators',
  operator: true,
  summary: 'List coupons',
  description: 'In order of id. The next page is `?after=` with `next` of this one.',
  parameters: pageParameters,
  answers: { 200: { description: 'A page.', schema: 'CouponPage', example: { coupons: [couponExample], next: null } } },
  problems: [...operatorProblems, 'INVALID_REQUEST'],
});

export const readOperation = operation({
  operationId: 'readCoupon',
  tag: 'operators',
  operator: true,
  summary: 'Read a coupon',
  description: 'As MySQL knows it now.',
  parameters: [idParameter],
  answers: { 200: { description: 'The coupon.', headers: tagHeader, schema: 'Coupon', example: couponExample } },
  problems: [...operatorProblems, 'COUPON_NOT_EXIST', 'INVALID_REQUEST'],
});

export const editOperation = operation({
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

export const removeOperation = operation({
  operationId: 'deleteCoupon',
  tag: 'operators',
  operator: true,
  summary: 'Delete a coupon',
  description: 'Only while it has no issues.',
  parameters: [idParameter, IfMatchParameter],
  answers: { 204: { description: 'Deleted.' } },
  problems: [...operatorProblems, 'COUPON_NOT_EXIST', 'COUPON_HAS_ISSUES', 'PRECONDITION_FAILED', 'INVALID_REQUEST'],
});

export const openOperation = operation({
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
