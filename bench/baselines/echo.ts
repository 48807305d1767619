// Entry of the ceiling: an Elysia route that only validates the same body and answers, in Elysia's own way. It has a process of its own.

import { Elysia } from 'elysia';
import { IssueRequest, serveBaseline } from './baseline.ts';

const app = new Elysia().post(
  '/echo',
  ({ body }) => ({ couponId: body.couponId, userId: String(body.userId), sequence: 1, status: 'ACCEPTED' }),
  { body: IssueRequest },
);

await serveBaseline(app);
