// bad-input.test.ts -- What is wrong about the life of an issue, on a real server and real stores: each is a problem document with a stable
// code, and nothing of it stays.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MySqlTable } from 'drizzle-orm/mysql-core';
import { auditTrail, codeImports, codePatterns, couponIssues, coupons, importedCodes } from '../../drizzle/schema.ts';
import { outbox, webhooks } from '../../drizzle/webhook-tables.ts';
import { SYSTEM } from '../../src/auth/audit-trail.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { eventually } from '../eventually.ts';
import { endStarted, startEntry } from '../started-entry.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';
import { startTestDelivering } from '../test-delivering.ts';

const KEY = 'a-key-of-the-operator-of-bad-input';
const operator = { authorization: `Bearer ${KEY}` };
const json = { ...operator, 'content-type': 'application/json' };

let stores: Stores;
let api: TestApi;
let url: string;
beforeAll(async () => {
  stores = await openStores({ settings: { WEBHOOK_POLL_MS: 20, WEBHOOK_MS_MAX: 500, WEBHOOK_RETRY_S_MAX: 1 } });
  api = await stores.createApi({ WEBHOOK_PRIVATE: 'on' });
  url = await startEntry(stores, 'src/server.ts', { environment: { ADMIN_API_KEY: KEY } }).url();
}, 60_000);
afterAll(async () => {
  await endStarted();
  await stores?.close();
});

type Sent = string | object | ReadableStream<Uint8Array>;

function send(method: string, path: string, body?: Sent, headers: Readonly<Record<string, string>> = json) {
  const isRaw = typeof body === 'string' || body instanceof ReadableStream;
  const sent = body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) };
  return fetch(`${url}${path}`, { method, headers, ...sent });
}

/** All rows of the tables that could have changed. */
async function everything(): Promise<readonly unknown[]> {
  const tables: readonly MySqlTable[] = [coupons, couponIssues, codePatterns, webhooks, outbox, auditTrail];
  return withConnection(stores.database, async (session) => {
    const rows: unknown[] = [];
    for (const table of tables) rows.push(await session.select().from(table));
    for (const table of [codeImports, importedCodes]) rows.push(await session.$count(table));
    return rows;
  });
}

interface Wanted {
  readonly code: string;
  /** Of its faults. */
  readonly faults?: readonly object[];
}

/** Sends what is wrong: it is refused as said, and every table is as it was. */
async function refuses(asking: () => Promise<Response>, { code, faults }: Wanted): Promise<unknown> {
  const before = await everything();
  const answer = await asking();
  expect(answer.headers.get('content-type')).toStartWith('application/problem+json');
  const problem = (await answer.json()) as { readonly status: number; readonly faults?: unknown };
  expect(problem).toMatchObject({
    code,
    status: answer.status,
    type: expect.any(String) as unknown,
    ...(faults && { faults }),
  });
  await eventually('nothing of it to be left', async () => Bun.deepEquals(await everything(), before));
  return problem;
}

const atBody = (pointer: string): Wanted => ({ code: 'INVALID_REQUEST', faults: [{ in: 'body', pointer }] });

const draft = {
  title: 'Wrong in one place',
  totalQuantity: 10,
  discountAmount: 1000,
  minAvailableAmount: 0,
  dateIssueStart: '2027-01-01T00:00:00Z',
  dateIssueEnd: '2027-02-01T00:00:00Z',
};

describe('when it can be used', () => {
  const wrong: readonly (readonly [what: string, members: object, pointer: string])[] = [
    ['an unknown zone', { usableDays: 7, timeZone: 'Mars/Olympus' }, '/timeZone'],
    ['an offset for a zone', { usableDays: 7, timeZone: '+09:00' }, '/timeZone'],
    ['an unknown currency', { currency: 'ABC' }, '/currency'],
    ['a currency in small letters', { currency: 'krw' }, '/currency'],
    [
      'an end before the beginning',
      { usableFrom: '2027-03-01T00:00:00Z', usableUntil: '2027-02-15T00:00:00Z' },
      '/usableUntil',
    ],
    [
      'an end at the beginning',
      { usableFrom: '2027-03-01T00:00:00Z', usableUntil: '2027-03-01T00:00:00Z' },
      '/usableUntil',
    ],
    ['an end before issuing starts', { usableUntil: '2026-12-01T00:00:00Z' }, '/usableUntil'],
    ['no days', { usableDays: 0 }, '/usableDays'],
    ['too many days', { usableDays: 100_000 }, '/usableDays'],
    ['days beside an end', { usableDays: 7, usableUntil: '2027-06-01T00:00:00Z' }, '/usableDays'],
    ['a day that does not exist', { usableFrom: '2027-02-30T00:00:00Z' }, '/usableFrom'],
  ];

  test.each(wrong)('%s makes no coupon', async (_, members, pointer) => {
    await refuses(() => send('POST', '/v1/coupons', { ...draft, ...members }), atBody(pointer));
  });

  test.each(wrong)('%s changes no coupon', async (_, members, pointer) => {
    const made = (await (await send('POST', '/v1/coupons', draft)).json()) as { readonly id: number };
    await refuses(() => send('PATCH', `/v1/coupons/${made.id}`, members), atBody(pointer));
  });

  test('outside its period a use is refused with the instants', async () => {
    const { id } = await stores.coupon({ usableFromMs: Date.UTC(2030, 0, 1), usableUntilMs: Date.UTC(2030, 1, 1) });
    await api.issuers.synchronous.issue(id, ['kim']);
    const problem = await refuses(() => send('POST', `/v1/coupons/${id}/issues/kim/use`, {}), {
      code: 'ISSUE_NOT_USABLE',
    });
    const instants = { usableFrom: '2030-01-01T00:00:00.000Z', usableUntil: '2030-02-01T00:00:00.000Z' };
    expect(problem).toMatchObject({ sequence: 1, ...instants });
  });
});

describe('references and reasons', () => {
  const controls = ['order\u0000', 'a\nb', 'tab\there', '\u0085', '\u2028', '   ', ''];
  let path: string;
  beforeAll(async () => {
    const { id } = await stores.coupon();
    await api.issuers.synchronous.issue(id, ['kim']);
    path = `/v1/coupons/${id}/issues/kim`;
  });

  test.each([...controls, 'x'.repeat(129), '🎁'.repeat(129)])('%j is no reference', async (reference) => {
    await refuses(() => send('POST', `${path}/use`, { reference }), atBody('/reference'));
    const query = `${path}/use?reference=${encodeURIComponent(reference)}`;
    await refuses(() => send('DELETE', query), {
      code: 'INVALID_REQUEST',
      faults: [{ in: 'query', pointer: '/reference' }],
    });
  });

  test.each([...controls, 'x'.repeat(201)])('%j is no reason', async (reason) => {
    await refuses(() => send('POST', `${path}/revoke`, { reason }), atBody('/reason'));
  });

  test('the longest are taken', async () => {
    const reference = '🎁'.repeat(128);
    expect((await send('POST', `${path}/use`, { reference })).status).toBe(200);
    expect((await send('DELETE', `${path}/use?reference=${encodeURIComponent(reference)}`)).status).toBe(200);
    expect((await send('POST', `${path}/revoke`, { reason: '이'.repeat(200) })).status).toBe(200);
  });
});

describe('uploads of codes', () => {
  const csv = { ...operator, 'content-type': 'text/csv' };
  const upload = (couponId: number, body: Sent, headers: Readonly<Record<string, string>> = csv) =>
    send('POST', `/v1/coupons/${couponId}/codes/import`, body, headers);
  const atLines = (...lines: number[]): Wanted => ({
    code: 'INVALID_REQUEST',
    faults: lines.map((line) => ({ line })),
  });
  let couponId: number;
  let generatedCode: string;
  beforeAll(async () => {
    ({ id: couponId } = await stores.coupon({ totalQuantity: 2 }));
    const other = await stores.coupon({ totalQuantity: 1 });
    expect((await upload(other.id, 'THEIRS-000001\n')).status).toBe(200);
    const generated = await stores.coupon();
    expect((await send('POST', `/v1/coupons/${generated.id}/codes`, { pattern: 'PATTERN-####-####' })).status).toBe(
      200,
    );
    const [code] = await api.codes.codesOf([{ couponId: generated.id, sequence: 7 }]);
    generatedCode = code ?? '';
  });

  test('a code twice, one of another coupon and what is none are named by their lines', async () => {
    const lines = [
      '\uFEFFcode',
      '"BADIN-000001"',
      '',
      'BADIN-000002',
      'BADIN-000001',
      'THEIRS-000001',
      'x',
      'BAD IN 03',
    ];
    await refuses(() => upload(couponId, lines.join('\r\n')), atLines(5, 6, 7, 8));
    await refuses(() => upload(couponId, `BADIN-000001\n${generatedCode}\n`), atLines(2));
    await refuses(
      () => upload(couponId, 'BADIN-000001,BADIN-000002\n"BADIN-000003\nBADIN-\u0007001\n'),
      atLines(1, 2, 3),
    );
    await refuses(() => upload(couponId, ['BADIN-000001', 7, 'BADIN-000001'], json), atLines(2, 3));
    await refuses(() => upload(couponId, '\uFEFF\r\n\r\ncode\r\n'), atBody(''));
  });

  test('fewer codes than pieces, an unreadable body and a wrong type are refused as a whole', async () => {
    await refuses(() => upload(couponId, 'BADIN-000001\n'), { code: 'COUPON_TOTAL_ABOVE_CODES' });
    await refuses(() => upload(couponId, '["BADIN-000001","BADIN', json), { code: 'MALFORMED_REQUEST' });
    await refuses(() => upload(couponId, '{"codes":["BADIN-000001"]}', json), { code: 'MALFORMED_REQUEST' });
    await refuses(() => upload(couponId, 'BADIN-000001\n', { ...csv, 'content-type': 'text/plain' }), {
      code: 'UNSUPPORTED_MEDIA_TYPE',
    });
    await refuses(() => upload(999_999_999, 'BADIN-000001\n'), { code: 'COUPON_NOT_EXIST' });
  });

  test('of one that is too large nothing stays, though pages of it were written', async () => {
    const encoder = new TextEncoder();
    const codes = Array.from({ length: 3000 }, (_, i) => `LARGE-${String(i).padStart(6, '0')}\n`).join('');
    const blank = encoder.encode('\n'.repeat(1_000_000));
    let pieces = 0;
    const body = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          if (pieces === 0) controller.enqueue(encoder.encode(codes));
          else controller.enqueue(blank);
          if ((pieces += 1) > 81) controller.close();
        },
      });
    await refuses(() => upload(couponId, body()), { code: 'PAYLOAD_TOO_LARGE' });
  }, 120_000);

  test('what is usual in a file is no fault', async () => {
    const { id } = await stores.coupon({ totalQuantity: 2 });
    const file = '\uFEFFCode\r\n\r\n"USUAL-000001"\r\n USUAL-000002 \r\n\r\n';
    expect(await (await upload(id, file)).json()).toMatchObject({ kind: 'IMPORTED', codes: 2 });
  });
});

describe('webhooks', () => {
  const kinds = ['issue.created'];
  const wrong = [
    'https://user:password@shop.example/',
    'file:///etc/passwd',
    'http://shop.example/',
    'https://localhost/',
    'https://127.0.0.1/',
    'https://10.0.0.7/',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::1]/',
    'https://[::ffff:192.168.0.1]/',
    'https://2130706433/',
    '/hooks',
  ];
  test.each(wrong)('%s is no URL of one', async (target) => {
    const problem = await refuses(() => send('POST', '/v1/webhooks', { url: target, kinds }), atBody('/url'));
    expect(JSON.stringify(problem)).not.toContain('password');
  });

  test('whatever a host answers, or does not, the event is delivered once it takes it, and nobody else is asked', async () => {
    const hostile = ['redirect', 'never', 'a gigabyte, refusing', 'a gigabyte', 'take'];
    const answers: string[] = [];
    const host = await listen((request, response) => {
      const [answer = 'take'] = hostile.splice(0, 1);
      answers.push(request.url === '/hooks' ? answer : `asked at ${request.url}`);
      request.resume();
      if (answer === 'redirect') response.writeHead(301, { location: '/elsewhere' }).end();
      if (answer === 'a gigabyte, refusing') flood(response.writeHead(503));
      if (answer === 'a gigabyte') flood(response.writeHead(200));
      if (answer === 'take') response.writeHead(204).end();
    });
    const created = await api.webhooks.create({ url: `${host.url}/hooks`, kinds: ['issue.created'] }, SYSTEM);
    if (created.kind !== 'created') throw new Error(`the webhook of a test is not created: ${created.kind}`);
    const { id } = await stores.coupon({ totalQuantity: null });
    await using delivering = startTestDelivering(stores, { WEBHOOK_PRIVATE: 'on', WEBHOOK_EVENTS_MAX: 1 });
    await api.issuers.synchronous.issue(id, ['kim', 'lee']);
    await eventually('both events to be taken', async () => (await delivered(created.webhook.id)).length >= 5);
    // The newest first: each failure is sent again, and an answer without end counts by its status.
    expect((await delivered(created.webhook.id)).reverse()).toEqual([
      [`${id}:issue:1`, 'answered 301'],
      [`${id}:issue:1`, 'did not answer in time'],
      [`${id}:issue:1`, 'answered 503'],
      [`${id}:issue:1`, null],
      [`${id}:issue:2`, null],
    ]);
    expect(answers).toEqual(['redirect', 'never', 'a gigabyte, refusing', 'a gigabyte', 'take']);
    expect(delivering.faults).toEqual([]);
    host.close();
  }, 60_000);

  async function delivered(webhookId: number) {
    const found = (await api.webhooks.deliveries(webhookId, { after: 0, limit: 20 })) ?? [];
    return found.map(({ firstEvent, error }) => [firstEvent, error] as const);
  }
});

function listen(handle: RequestListener): Promise<{ readonly url: string; close(): void }> {
  const server = createServer(handle);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const close = () => {
        server.closeAllConnections();
        server.close();
      };
      resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close });
    });
  });
}

/** A body without end, up to a gigabyte. */
function flood(response: Parameters<RequestListener>[1]): void {
  const piece = Buffer.alloc(65_536);
  let bytes = 0;
  const write = () => {
    while (!response.destroyed && bytes < 2 ** 30) {
      bytes += piece.length;
      if (!response.write(piece)) return void response.once('drain', write);
    }
  };
  response.on('error', () => undefined);
  write();
}
