// auth.test.ts -- Shows what each kind of caller may do, and that nobody else may: users for themselves, keys by their scopes.

import { afterAll, describe, expect, test } from 'bun:test';
import type { App, AppDependencies } from '../../src/app.ts';
import { digestOf } from '../../src/auth/authority.ts';
import { KeyRing, type Scope } from '../../src/auth/api-keys.ts';
import { createHumanVerifier } from '../../src/http/captcha.ts';
import type { Tokens } from '../../src/auth/tokens.ts';
import { fakeApp, fakeAuthority, fixedKeys, OPERATOR_KEY, storedKey } from './fakes.ts';
import { sign, tokensWith } from './tokens.ts';

const keyOf = (scope: Scope) => `ck_a-key-for-${scope}`;
const stored = (['issue', 'read', 'admin'] as const).map((scope) => storedKey(keyOf(scope), scope));

/** An app whose callers must say who they are. */
function guarded(tokens: Tokens | null = tokensWith(), change: Partial<AppDependencies> = {}) {
  return fakeApp({ authority: fakeAuthority({ isOn: true, tokens }, stored), ...change });
}

const endpoints = ['/v1/issue', '/v1/issue-async', '/v2/issue-async'] as const;
const STATUS = '/v1/coupons/1/issues/u1';

async function ask(app: App, path: string, credential?: string, userId = 'u1', idempotencyKey?: string) {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  if (credential !== undefined) headers.authorization = `Bearer ${credential}`;
  const isIssue = endpoints.some((endpoint) => endpoint === path);
  const init = isIssue ? { method: 'POST', headers, body: JSON.stringify({ couponId: 1, userId }) } : { headers };
  const answer = await app.fetch(new Request(`http://localhost${path}`, init));
  const { code } = (await answer.json()) as { code?: string };
  return { status: answer.status, code, challenge: answer.headers.get('www-authenticate') };
}

const missing = { status: 401, code: 'UNAUTHENTICATED', challenge: 'Bearer' };
const unknown = { status: 401, code: 'UNAUTHENTICATED', challenge: 'Bearer error="invalid_token"' };
const userMismatch = { status: 403, code: 'FORBIDDEN', challenge: null };
const tooSmall = (scope: Scope) => ({
  status: 403,
  code: 'FORBIDDEN',
  challenge: `Bearer error="insufficient_scope", scope="${scope}"`,
});

describe.each([...endpoints])('POST %s', (path) => {
  test('is for users with a token, for themselves alone', async () => {
    const { app, calls } = guarded();
    expect((await ask(app, path, await sign())).status).toBeLessThan(300);
    expect(await ask(app, path, await sign(), 'u2')).toEqual(userMismatch);
    expect(await ask(app, path, await sign({ claims: { sub: 'U1' } }))).toEqual(userMismatch);
    expect(calls.issued).toMatchObject([{ userId: 'u1' }]);
    expect(calls.observed).toMatchObject([{ result: 'issued' }, { result: 'forbidden' }, { result: 'forbidden' }]);
  });

  test('is for backends with the scope `issue`, for every user', async () => {
    const { app } = guarded();
    for (const scope of ['issue', 'admin'] as const) {
      expect((await ask(app, path, keyOf(scope), 'anybody')).status).toBeLessThan(300);
    }
    expect(await ask(app, path, keyOf('read'))).toEqual(tooSmall('issue'));
  });

  test('needs no user in the body from a user, whom the token names; from a backend it does', async () => {
    const { app, calls } = guarded();
    const issue = async (credential: string, body: object) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${credential}` };
      const init = { method: 'POST', headers, body: JSON.stringify(body) };
      const answer = await app.fetch(new Request(`http://localhost${path}`, init));
      return { status: answer.status, body: (await answer.json()) as Readonly<Record<string, unknown>> };
    };
    const own = await issue(await sign(), { couponId: 1 });
    expect(own.status).toBeLessThan(300);
    expect(own.body).toMatchObject({ couponId: 1, userId: 'u1' });
    expect(calls.issued).toMatchObject([{ userId: 'u1' }]);
    expect(await issue(await sign(), { couponId: 1, userId: 'u2' })).toMatchObject({ status: 403 });
    const faults = [{ in: 'body', pointer: '/userId' }];
    expect(await issue(keyOf('issue'), { couponId: 1 })).toMatchObject({ status: 422, body: { faults } });
    // An id that no body could have, and that must not get into a store.
    const strange = await sign({ claims: { sub: 'a{b}' } });
    expect(await issue(strange, { couponId: 1 })).toMatchObject({ status: 422, body: { faults } });
    expect(calls.issued).toHaveLength(1);
  });

  test('refuses all other callers before anything is decided', async () => {
    const { app, calls } = guarded();
    expect(await ask(app, path)).toEqual(missing);
    const wrong = [OPERATOR_KEY, 'wrong', 'é'.normalize('NFC')];
    for (const credential of wrong) expect(await ask(app, path, credential)).toEqual(unknown);
    // Only what the issuer has signed is told what is wrong with it.
    for (const [claims, description] of [
      [{ exp: 1 }, 'the token has expired'],
      [{ aud: 'x' }, 'the token is for another audience'],
      [{ iss: 'x' }, 'the token is of another issuer'],
      [{ exp: undefined }, 'the token has no exp'],
      [{ nbf: 99_999_999_999 }, 'the token is not valid yet'],
      [{ sub: undefined }, 'the token has no user id'],
    ] as const) {
      const challenge = `Bearer error="invalid_token", error_description="${description}"`;
      expect(await ask(app, path, await sign({ claims }))).toEqual({ ...unknown, challenge });
    }
    expect(await ask(app, path, 'x'.repeat(10_000))).toEqual(missing);
    expect(calls.issued).toEqual([]);
    // Nor is anything remembered under their idempotency keys.
    expect(await ask(app, path, 'wrong', 'u1', '"k"')).toEqual(unknown);
    expect(await ask(app, path, await sign(), 'u2', '"k"')).toEqual(userMismatch);
    expect(await ask(app, path, keyOf('read'), 'u1', '"k"')).toEqual(tooSmall('issue'));
    expect(calls.issued).toEqual([]);
    expect(calls.observed).toEqual(
      [...Array.from({ length: 12 }, () => 'unauthenticated'), 'forbidden', 'forbidden'].map(
        (result) => expect.objectContaining({ result }) as unknown,
      ),
    );
  });

  test('takes a number in the body for the user that the token names as text', async () => {
    const { app } = guarded();
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${await sign({ claims: { sub: '42' } })}`,
    };
    const request = new Request(`http://localhost${path}`, {
      method: 'POST',
      headers,
      body: '{"couponId":1,"userId":42}',
    });
    expect((await app.fetch(request)).status).toBeLessThan(300);
  });
});

test('every key can read its own scopes, and other callers are refused', async () => {
  const { app } = guarded();
  const scopesOf = async (credential: string) => {
    const headers = { authorization: `Bearer ${credential}` };
    const answer = await app.fetch(new Request('http://localhost/v1/key', { headers }));
    expect(answer.headers.get('cache-control')).toBe('no-store');
    return await answer.json();
  };
  for (const scope of ['issue', 'read', 'admin'] as const)
    expect(await scopesOf(keyOf(scope))).toEqual({ scopes: [scope] });
  expect(await ask(app, '/v1/key')).toEqual(missing);
  for (const credential of ['wrong', await sign()]) expect(await ask(app, '/v1/key', credential)).toEqual(unknown);
  const { app: keyless } = fakeApp({ authority: fakeAuthority({}, []) });
  expect(await ask(keyless, '/v1/key', keyOf('admin'))).toMatchObject({ status: 403 });
});

describe('the status of an issue', () => {
  test('is for the user it is about, and for keys with the scope `read`', async () => {
    const { app } = guarded();
    for (const credential of [await sign(), keyOf('read'), keyOf('admin')]) {
      expect((await ask(app, STATUS, credential)).status).toBe(200);
    }
    expect(await ask(app, STATUS, keyOf('issue'))).toEqual(tooSmall('read'));
    expect(await ask(app, STATUS)).toEqual(missing);
  });

  test('does not reveal who has a coupon, nor whether a user or a coupon exists', async () => {
    const { app } = guarded();
    const token = await sign();
    const bodies = new Set<string>();
    for (const path of ['1/issues/issued', '1/issues/none', '99/issues/issued', '99/issues/none']) {
      const headers = { authorization: `Bearer ${token}`, 'x-request-id': 'of-this-test' };
      const answer = await app.fetch(new Request(`http://localhost/v1/coupons/${path}`, { headers }));
      expect(answer.status).toBe(403);
      bodies.add(await answer.text());
    }
    expect(bodies.size).toBe(1);
  });
});

describe('what a user has', () => {
  const answerTo = async (path: string, credential: string | null, method = 'GET') => {
    const headers: Record<string, string> = credential === null ? {} : { authorization: `Bearer ${credential}` };
    return (await guarded().app.fetch(new Request(`http://localhost${path}`, { method, headers }))).status;
  };

  test('is listed for that user, and for keys with the scope `read`', async () => {
    const path = '/v1/users/u1/issues';
    expect(await answerTo(path, await sign())).toBe(200);
    expect(await answerTo(path, keyOf('read'))).toBe(200);
    expect(await answerTo(path, keyOf('issue'))).toBe(403);
    expect(await answerTo(path, await sign({ claims: { sub: 'u2' } }))).toBe(403);
    expect(await answerTo(path, null)).toBe(401);
  });

  test('is used by that user, and by keys with the scope `issue`', async () => {
    const path = '/v1/coupons/1/issues/issued/use';
    expect(await answerTo(path, await sign({ claims: { sub: 'issued' } }), 'POST')).toBe(200);
    expect(await answerTo(path, keyOf('issue'), 'POST')).toBe(200);
    expect(await answerTo(path, keyOf('read'), 'POST')).toBe(403);
    expect(await answerTo(path, await sign(), 'POST')).toBe(403);
    expect(await answerTo(path, null, 'POST')).toBe(401);
  });

  test('is not part of the progress of a coupon, which everybody may watch', async () => {
    expect(await answerTo('/v1/coupons/1/events', null)).toBe(200);
  });
});

describe("the operators' routes", () => {
  test('reading needs the scope `read`, changing `admin`; tokens of users open none', async () => {
    const { app } = guarded();
    for (const path of ['/v1/coupons', '/v1/coupons/1']) {
      for (const scope of ['read', 'admin'] as const) expect((await ask(app, path, keyOf(scope))).status).toBe(200);
      expect(await ask(app, path, keyOf('issue'))).toEqual(tooSmall('read'));
      expect(await ask(app, path, await sign())).toEqual(unknown);
    }
    for (const [scope, status] of [
      ['read', 403],
      ['issue', 403],
      ['admin', 422],
    ] as const) {
      const headers = { authorization: `Bearer ${keyOf(scope)}`, 'content-type': 'application/json' };
      const request = new Request('http://localhost/v1/coupons', { method: 'POST', headers, body: '{}' });
      expect((await app.fetch(request)).status).toBe(status);
    }
  });
});

test('with AUTH=off any caller may issue and read a status, and operators still need a key', async () => {
  const { app } = fakeApp();
  for (const path of [...endpoints, STATUS]) {
    expect((await ask(app, path)).status).toBeLessThan(300);
    expect((await ask(app, path, 'whatever')).status).toBeLessThan(300);
  }
  expect(await ask(app, '/v1/coupons')).toEqual(missing);
});

test('an operator who opens a coupon has the keys of tokens fetched as well', async () => {
  let prepared = 0;
  const prepare = async () => void (prepared += 1);
  const { app } = guarded({ ...tokensWith(), prepare });
  const headers = { authorization: `Bearer ${keyOf('admin')}` };
  const open = new Request('http://localhost/v1/coupons/1/open', { method: 'POST', headers });
  expect([(await app.fetch(open)).status, prepared]).toEqual([200, 1]);
});

test('where tokens are off, a token is a wrong key', async () => {
  expect(await ask(guarded(null).app, STATUS, await sign())).toEqual(unknown);
});

test('when tokens cannot be verified, callers get 503 with Retry-After, not 401', async () => {
  const { app, calls } = guarded({
    recognize: () => null,
    verify: async () => 'unverifiable' as const,
    prepare: async () => undefined,
  });
  const headers = { 'content-type': 'application/json', authorization: 'Bearer x.y.z' };
  const request = new Request('http://localhost/v1/issue', {
    method: 'POST',
    headers,
    body: '{"couponId":1,"userId":"u1"}',
  });
  const answer = await app.fetch(request);
  expect({ status: answer.status, retryAfter: answer.headers.get('retry-after') }).toEqual({
    status: 503,
    retryAfter: expect.stringMatching(/^[234]$/) as string,
  });
  expect(calls.issued).toEqual([]);
});

test('the document says who may call what, in the installation that it describes', async () => {
  const securityIn = async (app: App) => {
    const answer = await app.fetch(new Request('http://localhost/swagger/json'));
    const { paths } = (await answer.json()) as {
      paths: Record<string, Record<string, { security?: object[] }>>;
    };
    const { '/v2/issue-async': issue, '/v1/coupons/{couponId}/issues/{userId}': status } = paths;
    return [issue?.post?.security, status?.get?.security];
  };
  expect(await securityIn(guarded().app)).toEqual([
    [{ user: [] }, { backend: [] }],
    [{ user: [] }, { operator: [] }],
  ]);
  expect(await securityIn(fakeApp().app)).toEqual([[], []]);
});

describe('keys', () => {
  test('neither a part of a key nor a digest with the same prefix is accepted', () => {
    const digest = digestOf(keyOf('read'));
    const key = storedKey(keyOf('read'), 'read');
    const keys = fixedKeys([key]);
    expect(keys.find(digest)).toEqual(key);
    for (let kept = 0; kept < 64; kept += 1) {
      const changed = `${digest.slice(0, kept)}${digest[kept] === '0' ? '1' : '0'}${digest.slice(kept + 1)}`;
      expect(keys.find(changed)).toBeNull();
    }
  });

  test('a wrong key costs no query, and a new one is found once the list is reloaded', async () => {
    let loads = 0;
    let list = [storedKey('one', 'read')];
    const load = async () => {
      loads += 1;
      return list;
    };
    const keys = new KeyRing({ fixed: [], load, ageMsMax: 1000, onFault: () => {} });
    await keys.refresh();
    for (let guess = 0; guess < 100; guess += 1) expect(keys.find(digestOf(String(guess)))).toBeNull();
    expect(loads).toBe(1);
    list = [storedKey('two', 'read')];
    await keys.refresh();
    expect([keys.find(digestOf('one')), keys.find(digestOf('two'))?.scopes]).toEqual([null, ['read']]);
  });

  test('during an outage of the store the previous keys stay valid, and the fault is reported', async () => {
    const faults: unknown[] = [];
    const reported = Promise.withResolvers<void>();
    let broken = false;
    const load = async () => {
      if (broken) throw new Error('no MySQL');
      return [storedKey('one', 'issue')];
    };
    const onFault = (error: unknown) => {
      faults.push(error);
      reported.resolve();
    };
    const keys = new KeyRing({ fixed: [], load, ageMsMax: 1, onFault });
    await keys.refresh();
    broken = true;
    keys.watch();
    await reported.promise;
    keys.stop();
    expect(faults[0]).toEqual(new Error('no MySQL'));
    expect(keys.find(digestOf('one'))?.scopes).toEqual(['issue']);
  });
});

describe('a CAPTCHA', () => {
  const seen: string[] = [];
  const replies: Readonly<Record<string, () => Response>> = {
    person: () => Response.json({ success: true }),
    robot: () => Response.json({ success: false, 'error-codes': ['invalid-input-response'] }),
    'with our wrong secret': () => Response.json({ success: false, 'error-codes': ['invalid-input-secret'] }),
    broken: () => new Response('<h1>502</h1>', { status: 502 }),
    strange: () => Response.json({ success: 'true' }),
    moved: () => Response.redirect('/elsewhere', 307),
  };
  /** A stand-in for the service. */
  const service = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      const form = new URLSearchParams(await request.text());
      const token = form.get('response') ?? '';
      seen.push(`${request.method} ${request.headers.get('content-type')} ${form.get('secret')} ${token}`);
      return await (replies[token]?.() ?? new Promise<Response>(() => {}));
    },
  });
  afterAll(() => service.stop(true));
  const verifier = createHumanVerifier(`http://127.0.0.1:${service.port}/siteverify`, 'site secret', 200);
  const issueWith = async (app: App, headers: Record<string, string>) => {
    const body = '{"couponId":1,"userId":"u1"}';
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } };
    return (await app.fetch(new Request('http://localhost/v2/issue-async', init))).status;
  };

  test('admits a valid token, and refuses one that is missing, too long, wrong or used', async () => {
    const { app, calls } = fakeApp({ humanVerifier: verifier });
    const asked = seen.length;
    expect(await issueWith(app, {})).toBe(403);
    expect(await issueWith(app, { 'x-captcha-token': 'x'.repeat(3000) })).toBe(403);
    expect(seen).toHaveLength(asked);
    expect(await issueWith(app, { 'x-captcha-token': 'robot' })).toBe(403);
    expect(calls.issued).toEqual([]);
    expect(await issueWith(app, { 'x-captcha-token': 'person' })).toBe(202);
    expect(seen.at(-1)).toBe('POST application/x-www-form-urlencoded;charset=UTF-8 site secret person');
  });

  test.each([...Object.keys(replies).slice(2), 'a service that hangs'])(
    'that cannot be checked is 503: %s',
    async (token) => {
      const { app, calls } = fakeApp({ humanVerifier: verifier });
      expect(await issueWith(app, { 'x-captcha-token': token })).toBe(503);
      expect(calls.issued).toEqual([]);
      expect(calls.logged).toHaveLength(1);
      expect(JSON.stringify(calls.logged)).not.toContain('site secret');
    },
  );

  test('is required of users with a token, and not of backends', async () => {
    const { app } = guarded(tokensWith(), { humanVerifier: verifier });
    expect(await issueWith(app, { authorization: `Bearer ${await sign()}` })).toBe(403);
    expect(await issueWith(app, { authorization: `Bearer ${keyOf('issue')}` })).toBe(202);
  });
});

test('a token of a key that the issuer does not list is told so, since that list is public', async () => {
  const tokens: Tokens = { recognize: () => null, verify: () => 'unknown key', prepare: async () => undefined };
  const { app } = guarded(tokens);
  const challenge =
    'Bearer error="invalid_token", error_description="the token names a key that its issuer does not list"';
  expect(await ask(app, '/v2/issue-async', await sign())).toEqual({ ...unknown, challenge });
});
