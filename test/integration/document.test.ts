// document.test.ts -- The system answers as its document says, whatever it is asked: every operation, with and without callers who
// must say who they are, on real stores.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { codeImports, importedCodes } from '../../drizzle/schema.ts';
import { webhooks } from '../../drizzle/webhook-tables.ts';
import { SYSTEM } from '../../src/auth/audit-trail.ts';
import { createAuthMetrics } from '../../src/auth/metrics.ts';
import { createCodes } from '../../src/codes/codes.ts';
import { parsePattern } from '../../src/codes/pattern.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { openAccess } from '../../src/wiring/access.ts';
import { type App, createApp } from '../../src/app.ts';
import { createReadiness } from '../../src/runtime/readiness.ts';
import { createKey } from '../../src/auth/api-key-store.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { eventually } from '../eventually.ts';
import { type Known, type Parts, requestsTo, toRequest } from '../http/generated-requests.ts';
import { fakeApp, pages } from '../http/fakes.ts';
import { faultsOf, type OpenApi, type Operation, operationsOf } from '../http/open-api.ts';
import { AUDIENCE, bytesOf, ISSUER, sign } from '../http/tokens.ts';
import { openStores, type Settings, type Stores } from '../stores.ts';

const OPERATOR_KEY = 'a-key-of-the-generated-operator';
const SECRET = 'a-secret-for-generated-users-alone';
/** Requests for each operation, fewer where there is nothing to choose. */
const REQUESTS = 50;

let stores: Stores;
const installations = new Map<string, Installation>();

interface Installation {
  readonly app: App;
  readonly document: OpenApi;
  /** What the app could not answer, and so has logged. */
  readonly logged: unknown[];
  readonly isOn: boolean;
}

const settings: Readonly<Record<string, Settings>> = {
  'AUTH=off': { AUTH: 'off', ADMIN_API_KEY: OPERATOR_KEY },
  'AUTH=on and limits': {
    ADMIN_API_KEY: OPERATOR_KEY,
    JWT_SECRET: SECRET,
    JWT_ISSUER: ISSUER,
    JWT_AUDIENCE: AUDIENCE,
    USER_REQUESTS_MAX: 20,
    LIMIT_WINDOW_S: 3600,
  },
};

// The operations are known before a store is: they are those of the document in `test/http`, as a test below makes sure of.
const listed = operationsOf(await documentOf(fakeApp().app)).map(({ method, path }) => ({ method, path }));
const undo: (() => unknown)[] = [];
const keys = { read: '', issue: '' };

beforeAll(async () => {
  stores = await openStores();
  for (const scope of ['read', 'issue'] as const) {
    keys[scope] = (await createKey(stores.database, { name: scope, scopes: [scope] })).key;
  }
  await stores.startWorker();
  for (const [name, change] of Object.entries(settings)) installations.set(name, await install(change));
});
afterAll(async () => {
  for (const step of undo) step();
  await stores.close();
});

async function install(change: Settings): Promise<Installation> {
  const api = await stores.createApi(change);
  const config = stores.configWith(change);
  const logged: unknown[] = [];
  const access = await openAccess({
    config,
    database: stores.database,
    redis: api.redis,
    log: createLog('api', 'silent'),
    metrics: createAuthMetrics(),
  });
  undo.push(access.stop);
  const app = createApp({
    ...api,
    ...access,
    config,
    pages,
    readiness: createReadiness({ redis: api.redis, database: stores.database, settings: config }).check,
    log: { error: (fields) => logged.push(fields) },
  });
  return { app, document: await documentOf(app), logged, isOn: config.AUTH === 'on' };
}

async function documentOf(app: App): Promise<OpenApi> {
  return (await (await app.fetch(new Request('http://localhost/swagger/json'))).json()) as OpenApi;
}

function installed(name: string): Installation {
  const found = installations.get(name);
  if (!found) throw new Error(`${name} is not installed`);
  return found;
}

describe.each(Object.keys(settings))('with %s', (name) => {
  test('the document is valid, and has the operations that are tried here', async () => {
    const { document } = installed(name);
    const { valid, errors } = await new Validator().validate({ ...document });
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    expect(operationsOf(document).map(({ method, path }) => ({ method, path }))).toEqual(listed);
  });

  test.each(listed)('$method $path answers as documented, whatever is sent', async ({ method, path }) => {
    const { app, document, logged, isOn } = installed(name);
    const operation = operationsOf(document).find((one) => one.method === method && one.path === path);
    if (!operation) throw new Error('the document does not have it');
    const { parts, usual } = requestsTo(document, operation, await knownThings(operation, isOn));
    const statuses: number[] = [];
    const answersWell = async (sent: Parts) => {
      const answer = await app.fetch(toRequest(operation, sent));
      const status = await expectDocumented(document, operation, answer);
      statuses.push(status);
      expect(logged.splice(0)).toEqual([]);
    };
    const numRuns = operation.parameters || operation.requestBody ? REQUESTS : 5;
    await fc.assert(fc.asyncProperty(parts, answersWell), { numRuns, examples: [[usual]], endOnFailure: true });
    // A route that refuses everything would be documented well too.
    expect(statuses[0]).toBeWithin(200, 300);
  });
});

test('examples can be sent as they stand: a coupon that is issued today, and another user for each endpoint', async () => {
  const { app, document } = installed('AUTH=off');
  const send = async (path: string, body: unknown) =>
    app.fetch(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${OPERATOR_KEY}` },
        body: JSON.stringify(body),
      }),
    );
  const examplesOf = (path: string) => {
    const operation = operationsOf(document).find((one) => one.method === 'POST' && one.path === path);
    return Object.values(operation?.requestBody?.content['application/json']?.examples ?? {}).map(({ value }) => value);
  };
  const statuses: number[] = [];
  for (const draft of examplesOf('/v1/coupons')) {
    const created = await send('/v1/coupons', draft);
    statuses.push(created.status);
    const { id } = (await created.json()) as { id: number };
    for (const path of ['/v1/issue', '/v1/issue-async', '/v2/issue-async']) {
      // Ids of a test begin at a random number.
      for (const body of examplesOf(path))
        statuses.push((await send(path, { ...(body as object), couponId: id })).status);
    }
  }
  // Four ways to create a coupon, and three requests to issue each.
  expect(statuses).toEqual(Array.from({ length: 4 }, () => [201, 201, 202, 202]).flat());
});

/** Checks that the document has this status, this type and a schema that the body keeps, and that it is no server error. */
async function expectDocumented(document: OpenApi, operation: Operation, answer: Response): Promise<number> {
  const documented = operation.responses[answer.status];
  const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
  const isStream = type === 'text/event-stream';
  const text = isStream ? await beginningOf(answer) : await answer.text();
  const about = { status: answer.status, type, text };
  expect({ ...about, isDocumented: documented !== undefined, isFault: answer.status >= 500 }).toEqual({
    ...about,
    isDocumented: true,
    isFault: false,
  });
  const [[documentedType, media] = ['', undefined]] = Object.entries(documented?.content ?? {});
  expect({ type, isEmpty: text === '' }).toEqual({ type: documentedType, isEmpty: media === undefined });
  if (media === undefined || !type.endsWith('json')) return answer.status;
  const value: unknown = JSON.parse(text);
  expect({ value, faults: faultsOf(document, media.schema, value) }).toEqual({ value, faults: [] });
  if (media.examples) expect(Object.keys(media.examples)).toContain((value as { code: string }).code);
  return answer.status;
}

/** The first piece of an answer that would go on. */
async function beginningOf(answer: Response): Promise<string> {
  // Leaving the loop cancels the rest.
  for await (const piece of answer.body as AsyncIterable<Uint8Array>) return new TextDecoder().decode(piece);
  return '';
}

/** Coupons in every state, users with and without issues, dead letters: made for one test alone. */
async function knownThings({ path, method }: Operation, isOn: boolean): Promise<Known> {
  const run = crypto.randomUUID().slice(0, 8);
  const [user, owner, other] = [`u-${run}`, `owner-${run}`, 42];
  const nowMs = Date.now();
  const open = await stores.coupon({ totalQuantity: path.endsWith('/import') ? 2 : 10 });
  const others = await Promise.all([
    stores.coupon({ totalQuantity: 1 }),
    stores.coupon({ totalQuantity: null }),
    stores.coupon({ startMs: nowMs + 60_000 }),
    stores.coupon({ startMs: nowMs - 60_000, endMs: nowMs - 1 }),
  ]);
  const api = installed('AUTH=off').app;
  const isChange = /\/(use|revoke)$/.test(path);
  for (const { id } of [open, ...others]) {
    // A coupon that is to be deleted must have no issues.
    if (method !== 'DELETE' || isChange || id !== open.id) await issue(api, id, owner);
  }
  const couponCode = path.startsWith('/v1/codes') ? [await codeOf(open.id, `K${run.toUpperCase()}`)] : [];
  if (path.endsWith('/import')) await forgetCodes();
  if (isChange || couponCode.length > 0)
    await eventually('the issue to be a row', async () => (await stores.rows(open.id)).length > 0);
  // So that there is a use to undo.
  if (isChange && method === 'DELETE')
    await api.fetch(new Request(`http://localhost/v1/coupons/${open.id}/issues/${owner}/use`, { method: 'POST' }));
  const credential = (text: string) => `Bearer ${text}`;
  const token = async (sub: unknown, change = {}) =>
    credential(await sign({ key: bytesOf(SECRET), claims: { sub: String(sub), ...change } }));
  const isLetter = path.includes('dead-letters');
  return {
    values: {
      id: isLetter ? await plantLetters(open.id) : [open.id, ...others.map(({ id }) => id), 1, Number.MAX_SAFE_INTEGER],
      couponId: [open.id, ...others.map(({ id }) => id), 1],
      userId: method === 'GET' || isChange ? [owner, user, other] : [user, owner, other],
      webhookId: path.startsWith('/v1/webhooks/') ? [await makeWebhook(), 1] : [],
      couponCode: [...couponCode, 'SUMMER-2222-2222', 'AUTUMN-1F3K'],
      pattern: [`N${run.toUpperCase()}-########`, 'SUMMER-####-####', 'A######'],
      code: ['INTERNAL', 'NOT_FOUND', 'toString'],
      dateIssueStart: ['2026-01-01T00:00:00Z', '2027-01-01T09:00:00+09:00', '2028-01-01T00:00:00.000Z'],
      dateIssueEnd: ['2028-06-01T00:00:00Z', '2027-06-01T00:00:00+09:00'],
      // Waited for in earnest elsewhere.
      waitMs: [0, 1, 20],
      Prefer: ['wait=0', 'respond-async'],
      'If-Match': ['*', '"1"', '"2"', '"1", "7"'],
      'Idempotency-Key': [`"${run}"`, `"${run}-2"`],
    },
    credentials: [
      credential(OPERATOR_KEY),
      ...(isOn ? [await token(user), await token(owner), await token(user, { exp: 1 })] : []),
      credential(keys.read),
      credential(keys.issue),
      credential('wrong'),
      'Basic eDp5',
      undefined,
    ],
  };
}

/** The code of the first issue of a coupon. */
async function codeOf(couponId: number, beginning: string): Promise<string> {
  const codes = createCodes(stores.database);
  const pattern = parsePattern(`${beginning}-########`);
  if (pattern) await codes.generate(couponId, pattern, SYSTEM);
  return (await codes.codesOf([{ couponId, sequence: 1 }]))[0] ?? '';
}

/** In the place of all others: there may be only so many. */
async function makeWebhook(): Promise<number> {
  return withConnection(stores.database, async (session) => {
    await session.delete(webhooks);
    const values = {
      url: 'https://shop.example/',
      secret: 'whsec_c2VjcmV0',
      kinds: 'issue.used',
      state: 'active',
    } as const;
    const [{ insertId }] = await session.insert(webhooks).values(values);
    return insertId;
  });
}

/** The example of an upload can be sent once. */
async function forgetCodes(): Promise<void> {
  await withConnection(stores.database, async (session) => {
    await session.delete(importedCodes);
    await session.delete(codeImports);
  });
}

async function issue(app: App, couponId: number, userId: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ couponId, userId });
  await app.fetch(new Request('http://localhost/v2/issue-async', { method: 'POST', headers, body }));
}

/** Two dead letters, one that can be replayed and one that cannot, and ids that no letter has: the last is none of Redis. */
async function plantLetters(couponId: number): Promise<string[]> {
  const { dead } = stores.keys(couponId);
  const partition = /\{(\d+)\}/.exec(dead)?.[1] ?? '';
  const fields = ['c', couponId, 'e', 1, 's', 900, 't', Date.now(), 'u', 'a,b', 'entry', '1-0', 'reason', 'planted'];
  const ids = [
    await stores.redis.xadd(dead, '*', 'v', 1, ...fields),
    await stores.redis.xadd(dead, '*', 'v', 99, ...fields),
  ];
  return [...ids.map((id) => `${partition}-${id}`), `${partition}-7-0`, `${partition}-99999999999999999999-0`];
}
