// log-lines.test.ts -- What `bun run dev` shows of the log: a request in one short line, a warning as a sentence, a rush as a count.

import { expect, test } from 'bun:test';
import { readableLine, requestLine, RequestLines, requestOf } from '../../tools/dev/log-lines.ts';
import { eventually } from '../eventually.ts';

const request = {
  level: 30,
  time: 1,
  name: 'api',
  requestId: 'x',
  endpoint: 'POST /v2/issue-async',
  couponId: 7,
  status: 409,
  code: 'INVALID_COUPON_ISSUE_QUANTITY',
  ms: 3.1,
  batchUsers: 12,
  msg: 'request',
};

test('a request is method, path, status, code, time and batch, in one line', () => {
  const found = requestOf(JSON.stringify(request));
  expect(found && requestLine(found)).toBe(
    '409 POST  /v2/issue-async  coupon 7  INVALID_COUPON_ISSUE_QUANTITY  3.1 ms  batch of 12',
  );
  expect(requestLine({ endpoint: 'GET /v1/coupons/:couponId', couponId: 7, status: 200, ms: 1 })).toBe(
    '200 GET   /v1/coupons/7  1 ms',
  );
  // A file of a page is no route.
  expect(requestLine({ status: 200, ms: 1 })).toBeUndefined();
});

test('a warning is a sentence with its cause, and no JSON', () => {
  const error = { name: 'Error', message: 'connect ECONNREFUSED', cause: { name: 'MysqlError', number: 1205 } };
  const line = JSON.stringify({ level: 40, time: 1, name: 'worker', pid: 2, error, partition: 3, msg: 'retrying' });
  expect(readableLine(line)).toBe(
    'warning retrying  partition=3 error=Error: connect ECONNREFUSED, caused by MysqlError: 1205',
  );
  expect(readableLine('{"some":"json"}')).toBe('{"some":"json"}');
  expect(readableLine('{not json')).toBe('{not json');
  expect(readableLine('plain text')).toBe('plain text');
});

test('a rush is some lines and then a count, by status and code', async () => {
  const shown: string[] = [];
  const lines = new RequestLines((text) => shown.push(text));
  for (let i = 0; i < 1_015; i += 1) lines.add(request);
  lines.add({ ...request, endpoint: 'GET /v1/load', status: 200 });
  expect(shown).toHaveLength(15);
  await eventually('the end of the second', () => shown.length === 16);
  expect(shown[15]).toBe('and in this second 1,000 × 409 INVALID_COUPON_ISSUE_QUANTITY');
});
