// eden-api.ts -- The API as a type for `treaty` of @elysiajs/eden: types alone, so that no bundle contains Elysia because of it.
//
// It is written here and not taken from the app: the routes read bodies and write answers themselves, which is what makes them
// fast, so that Elysia knows neither. A test calls every route of it through Eden. Build Eden with `parseDate: false`: times are
// text. Eden neither retries nor knows of ambiguous results; `coupon-client.ts` does. Events are only there.

import type { DefinitionBase, Elysia, MetadataBase, SingletonBase } from 'elysia';
import type {
  Audit,
  Coupon,
  CouponChanges,
  CouponDraft,
  CouponPage,
  DeadLetterList,
  Drop,
  Issue,
  IssuePage,
  IssueState,
  Key,
  Load,
  Problem,
  UsedIssue,
} from './api-types.ts';
import type { IssueRequest } from './issue.ts';

/** For `treaty<CouponApi>(url, { parseDate: false })`. */
export type CouponApi = Elysia<'', SingletonBase, DefinitionBase, MetadataBase, Routes>;

// An interface would not do: it is open, and Elysia's own type of routes is not.
type Routes = {
  v1: {
    issue: { post: Route<{ body: IssueRequest; done: { 201: Issue } }> };
    'issue-async': { post: Route<{ body: IssueRequest; done: { 202: Issue } }> };
    coupons: {
      get: Route<{ query: PageQuery; done: { 200: CouponPage } }>;
      post: Route<{ body: CouponDraft; done: { 201: Coupon } }>;
      ':id': {
        get: Route<{ done: { 200: Coupon } }>;
        patch: Route<{ body: CouponChanges; done: { 200: Coupon } }>;
        delete: Route<{ done: { 204: '' } }>;
        open: { post: Route<{ done: { 200: Coupon } }> };
        audit: { get: Route<{ done: { 200: Audit } }> };
        issues: {
          ':userId': {
            get: Route<{ query: { waitMs?: number }; done: { 200: IssueState } }>;
            use: { post: Route<{ done: { 200: UsedIssue } }> };
          };
        };
      };
    };
    drops: { ':id': { get: Route<{ done: { 200: Drop } }> } };
    'dead-letters': {
      get: Route<{ done: { 200: DeadLetterList } }>;
      ':id': { delete: Route<{ done: { 204: '' } }>; replay: { post: Route<{ done: { 204: '' } }> } };
    };
    load: { get: Route<{ done: { 200: Load } }> };
    key: { get: Route<{ done: { 200: Key } }> };
    users: { ':userId': { issues: { get: Route<{ query: PageQuery; done: { 200: IssuePage } }> } } };
  };
  v2: { 'issue-async': { post: Route<{ body: IssueRequest; done: { 202: Issue } }> } };
};

interface PageQuery {
  after?: number;
  limit?: number;
}

/** One method of one path, in the words of Elysia. */
interface Route<Said extends { body?: unknown; query?: object; done: Readonly<Record<number, unknown>> }> {
  body: Said extends { body: infer Body } ? Body : undefined;
  headers: { authorization?: string; 'idempotency-key'?: string; 'if-match'?: string; prefer?: string };
  params: unknown;
  query: Said extends { query: infer Query extends object } ? Query : Record<never, never>;
  response: Said['done'] & Refusals;
}

type Refusals = Record<400 | 401 | 403 | 404 | 409 | 412 | 413 | 415 | 422 | 429 | 500 | 503, Problem>;
