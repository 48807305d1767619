// tokens.test.ts -- Shows that no token is taken but those the issuer signed for us, and none for longer than it lasts.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { resolve } from 'node:path';
import { CompactSign, type CryptoKey, exportJWK, exportSPKI, generateKeyPair } from 'jose';
import { createTokens, type TokenSettings } from '../../src/auth/tokens.ts';
import { isUserId } from '../../src/coupon/coupon.ts';
import {
  AUDIENCE,
  bytesOf,
  ISSUER,
  partOf,
  SECRET,
  type Signed,
  sign,
  tokenSettings,
  tokensWith,
  userOf,
} from './tokens.ts';

/** Claims that differ from the usual ones; undefined leaves one out. */
type Changed = NonNullable<Signed['claims']>;

const nowS = () => Math.floor(Date.now() / 1000);

describe('with a shared secret', () => {
  const tokens = tokensWith();

  test('a valid token identifies its user', async () => {
    expect(await userOf(tokens, await sign())).toBe('u1');
    expect(await userOf(tokens, await sign({ claims: { aud: ['others', 'coupons'], sub: 'a-b_C9' } }))).toBe('a-b_C9');
  });

  const wrong: readonly [string, Record<string, unknown>][] = [
    ['of another issuer', { iss: 'https://evil.example' }],
    ['without an issuer', { iss: undefined }],
    ['for another audience', { aud: 'payments' }],
    ['without an audience', { aud: undefined }],
    ['that has ended', { exp: nowS() - 1 }],
    ['without an end', { exp: undefined }],
    ['that ends in this second', { exp: nowS() }],
    ['whose end is text', { exp: '2099-01-01' }],
    ['that has not begun', { nbf: nowS() + 600 }],
    ['without a user', { sub: undefined }],
    ['whose user is empty', { sub: '' }],
    ['whose user is a list', { sub: ['u1'] }],
    ['whose user is null', { sub: null }],
  ];
  test.each(wrong)('a token %s is rejected', async (_, claims) => {
    expect(await userOf(tokens, await sign({ claims }))).toBe('invalid');
  });

  test('an unsigned token is rejected, however its algorithm is spelled', async () => {
    const payload = (await sign()).split('.')[1] ?? '';
    for (const alg of ['none', 'None', 'NONE', '', null, undefined]) {
      for (const signature of ['', 'AAAA']) {
        expect(await userOf(tokens, `${partOf({ alg })}.${payload}.${signature}`)).toBe('invalid');
      }
    }
  });

  test('a token with another secret or another algorithm is rejected', async () => {
    expect(await userOf(tokens, await sign({ key: bytesOf('another-secret-of-the-same-good-length') }))).toBe(
      'invalid',
    );
    const long = 'x'.repeat(64);
    const strict = tokensWith({ JWT_SECRET: long });
    expect(await userOf(strict, await sign({ header: { alg: 'HS512' }, key: bytesOf(long) }))).toBe('invalid');
    const wide = tokensWith({ JWT_SECRET: long, JWT_ALGORITHMS: 'HS256,HS512' });
    expect(await userOf(wide, await sign({ header: { alg: 'HS512' }, key: bytesOf(long) }))).toBe('u1');
  });

  test('a token whose claims or header were changed is rejected', async () => {
    const [header = '', payload = '', signature = ''] = (await sign()).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    expect(await userOf(tokens, `${header}.${partOf({ ...claims, sub: 'u2' })}.${signature}`)).toBe('invalid');
    expect(await userOf(tokens, `${partOf({ alg: 'HS256', typ: 'x' })}.${payload}.${signature}`)).toBe('invalid');
    expect(await userOf(tokens, `${header}.${payload}.`)).toBe('invalid');
  });

  test('a token with an unknown critical extension is rejected', async () => {
    const [, payload = '', signature = ''] = (await sign()).split('.');
    const header = partOf({ alg: 'HS256', crit: ['exp-later'], 'exp-later': true });
    expect(await userOf(tokens, `${header}.${payload}.${signature}`)).toBe('invalid');
  });

  test.each(['', '.', '..', '...', 'x', 'a.b', 'a.b.c', 'a.b.c.d.e', '%', '\0', 'x'.repeat(8000)])(
    'what is no token is not taken: %p',
    async (text) => {
      expect(await userOf(tokens, text)).toBe('invalid');
    },
  );

  test('during a rotation, tokens signed with either secret are accepted, and no others', async () => {
    const [now, before] = ['the-secret-that-signs-from-now-on', 'the-secret-that-signed-until-now'];
    const changing = tokensWith({ JWT_SECRET: now, JWT_SECRET_PREVIOUS: before });
    for (const secret of [now, before]) {
      expect(await userOf(changing, await sign({ key: bytesOf(secret) }))).toBe('u1');
    }
    for (const secret of [SECRET, `${now},${before}`]) {
      expect(await userOf(changing, await sign({ key: bytesOf(secret) }))).toBe('invalid');
    }
    expect(await userOf(tokensWith({ JWT_SECRET: now }), await sign({ key: bytesOf(before) }))).toBe('invalid');
  });

  test('a token is verified synchronously, and each time', async () => {
    const token = await sign();
    expect(tokens.verify(token, 'digest')).toEqual({ userId: 'u1' });
    expect(tokens.verify(`${token}x`, 'digest')).toBe('signature');
  });

  test('the user can be in another claim, and be a number', async () => {
    const other = tokensWith({ JWT_USER_CLAIM: 'https://shop.example/user' });
    expect(await userOf(other, await sign({ claims: { 'https://shop.example/user': 42 } }))).toBe('42');
    expect(await userOf(other, await sign({ claims: { 'https://shop.example/user': 4.2 } }))).toBe('invalid');
    expect(await userOf(other, await sign())).toBe('invalid');
  });
});

describe('with public keys', () => {
  let issuer: Server;
  let url: string;
  let answer: () => { status: number; body: string };
  let rsa: { publicKey: CryptoKey; privateKey: CryptoKey };
  let asked = 0;
  const settings = () => {
    const { JWT_SECRET: _secret, ...rest } = tokenSettings;
    return { ...rest, JWT_JWKS_URL: url };
  };
  const withKeys = (
    onFault: (error: unknown) => void,
    change: Partial<TokenSettings> = {},
    elapsedMs?: () => number,
  ) => {
    const tokens = createTokens({ ...settings(), ...change }, onFault, elapsedMs);
    if (!tokens) throw new Error('these settings take no tokens');
    return tokens;
  };
  const noFault = (error: unknown) => {
    throw error;
  };

  beforeAll(async () => {
    rsa = await generateKeyPair('RS256', { extractable: true });
    const keys = [{ ...(await exportJWK(rsa.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }];
    answer = () => ({ status: 200, body: JSON.stringify({ keys }) });
    issuer = createServer((_, response) => {
      asked += 1;
      const { status, body } = answer();
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    const address = issuer.address();
    if (address === null || typeof address === 'string') throw new Error('the issuer has no port');
    url = `http://127.0.0.1:${address.port}/keys`;
  });
  afterAll(() => void issuer.close());

  test('the keys are there before the first token, and a failure to get them is reported and tried again', async () => {
    const right = answer;
    const faults: unknown[] = [];
    let elapsedMs = 0;
    const tokens = withKeys(
      (error) => faults.push(error),
      {},
      () => elapsedMs,
    );
    answer = () => ({ status: 500, body: '' });
    await tokens.prepare();
    answer = right;
    expect(faults).toHaveLength(1);
    elapsedMs = 5001;
    await tokens.prepare();
    const before = asked;
    expect(await userOf(tokens, await signRs())).toBe('u1');
    expect([asked - before, faults.length]).toEqual([0, 1]);
  });

  test.each(['HS256', 'RS256'] as const)('what is wrong with a token of %s has a name', async (alg) => {
    const isSecret = alg === 'HS256';
    const tokens = isSecret ? tokensWith() : withKeys(noFault);
    const key = isSecret ? bytesOf(SECRET) : rsa.privateKey;
    const header = isSecret ? { alg } : { alg, kid: 'one' };
    const faultOf = async (claims: Changed, signed: Pick<Signed, 'header' | 'key'> = {}) =>
      tokens.verify(await sign({ claims, header, key, ...signed }), crypto.randomUUID());
    expect(await faultOf({})).toEqual({ userId: 'u1' });
    expect(await faultOf({ iss: 'https://other.example' })).toBe('issuer');
    expect(await faultOf({ aud: ['x', 'y'] })).toBe('audience');
    expect(await faultOf({ exp: undefined })).toBe('no expiry');
    expect(await faultOf({ exp: nowS() - 60 })).toBe('expired');
    expect(await faultOf({ nbf: nowS() + 60 })).toBe('not yet valid');
    expect(await faultOf({ sub: undefined })).toBe('user claim');
    const [head = '', payload = '', signature = ''] = (await sign({ header, key })).split('.');
    const forged = `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    expect(await tokens.verify(forged, 'forged')).toBe('signature');
    expect(await tokens.verify('no token', 'none')).toBe('malformed');
    const other = await generateKeyPair('RS256');
    if (!isSecret) {
      expect(await faultOf({}, { header: { alg, kid: 'two' }, key: other.privateKey })).toBe('unknown key');
    }
    expect(await faultOf({}, { header: { alg: isSecret ? 'HS384' : 'HS256' }, key: bytesOf(SECRET) })).toBe(
      'algorithm',
    );
  });

  test.each(['HS256', 'RS256'] as const)('with %s a number names a user only in plain digits', async (alg) => {
    const tokens = alg === 'HS256' ? tokensWith() : withKeys(noFault);
    for (const [number, user] of [
      ['42', '42'],
      ['0', '0'],
      ['9007199254740991', '9007199254740991'],
      ...['42.0', '4.2e1', '-0', '1E0', '9007199254740991.4', '9007199254740993'].map(
        (text) => [text, 'user claim'] as const,
      ),
    ] as const) {
      const now = nowS();
      const payload = `{"sub":${number},"iss":"${ISSUER}","aud":"${AUDIENCE}","iat":${now},"exp":${now + 600}.5}`;
      const key = alg === 'HS256' ? bytesOf(SECRET) : rsa.privateKey;
      const token = await new CompactSign(bytesOf(payload)).setProtectedHeader({ alg, kid: 'one' }).sign(key);
      const verified = await tokens.verify(token, crypto.randomUUID());
      expect([number, typeof verified === 'string' ? verified : verified.userId]).toEqual([number, user]);
    }
  });

  describe('the tokens of the common providers, with the settings that the guide names', () => {
    const guide = readFileSync(resolve(import.meta.dir, '../../docs/identity-providers.md'), 'utf8');
    /** As the guide has it, its names filled in. */
    const settingsOf = (provider: string): Partial<TokenSettings> => {
      const [, block = ''] = new RegExp(`## ${provider}\\n[^#]*?\`\`\`sh\\n([^\`]*)\`\`\``).exec(guide) ?? [];
      const lines = [...block.matchAll(/^(JWT_\w+)=(\S+)/gm)].map(([, name, value]) => [name, value]);
      return { ...(Object.fromEntries(lines) as Partial<TokenSettings>), JWT_JWKS_URL: url };
    };
    const seconds = () => ({ iat: nowS(), exp: nowS() + 600 });
    const shapes: readonly [string, string, () => Changed][] = [
      [
        'Auth0',
        'auth0|5f7c8ec7c33c6c004bbafe82',
        () => ({
          iss: 'https://shop.eu.auth0.com/',
          sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
          aud: ['https://coupons.example', 'https://shop.eu.auth0.com/userinfo'],
          azp: 'my_client_id',
          scope: 'openid profile',
        }),
      ],
      [
        'Amazon Cognito',
        'a1b2c3d4-5678-90ab-cdef-1234567890ab',
        () => ({
          sub: 'a1b2c3d4-5678-90ab-cdef-1234567890ab',
          iss: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI',
          client_id: '1example23456789',
          token_use: 'access',
          username: 'kim',
          'cognito:groups': ['a'],
          aud: undefined,
        }),
      ],
      [
        'Keycloak',
        'f:5c1e2a3b-0d4f-4a6b-9c8d-7e6f5a4b3c2d:kim',
        () => ({
          iss: 'https://id.example/realms/shop',
          aud: 'account',
          azp: 'coupons',
          typ: 'Bearer',
          sub: 'f:5c1e2a3b-0d4f-4a6b-9c8d-7e6f5a4b3c2d:kim',
          sid: 'x',
        }),
      ],
      [
        'Firebase',
        'ZtT5sNf3yQeR8uKcWm1hLxPa2Bv9',
        () => ({
          iss: 'https://securetoken.google.com/my-shop',
          aud: 'my-shop',
          auth_time: 1,
          user_id: 'ZtT5sNf3yQeR8uKcWm1hLxPa2Bv9',
          sub: 'ZtT5sNf3yQeR8uKcWm1hLxPa2Bv9',
          firebase: { sign_in_provider: 'google.com' },
        }),
      ],
      [
        'Clerk',
        'user_2NNEqL2nrIRdJ194ndJqAHwEfxC',
        () => ({
          azp: 'https://shop.example',
          iss: 'https://clerk.shop.example',
          sid: 'sess_1',
          sub: 'user_2NNEqL2nrIRdJ194ndJqAHwEfxC',
          v: 2,
          nbf: nowS() - 10,
          aud: undefined,
        }),
      ],
      [
        'Supabase',
        '8e9f0a1b-2c3d-4e5f-8a7b-6c5d4e3f2a1b',
        () => ({
          iss: 'https://abcdefghijklmnop.supabase.co/auth/v1',
          sub: '8e9f0a1b-2c3d-4e5f-8a7b-6c5d4e3f2a1b',
          aud: 'authenticated',
          role: 'authenticated',
          email: 'kim@example.com',
          is_anonymous: false,
        }),
      ],
    ];
    test.each(shapes)('%s', async (provider, user, claims) => {
      const tokens = withKeys(noFault, settingsOf(provider));
      expect(await userOf(tokens, await signRs({ ...seconds(), ...claims() }))).toBe(user);
      expect(isUserId(user)).toBe(true);
      // The same token for another audience: the check is never left out.
      const other = { ...seconds(), ...claims(), aud: 'another', azp: 'another', client_id: 'another' };
      expect(await userOf(tokens, await signRs(other))).toBe('invalid');
    });
  });

  test('a token signed with a key of the issuer identifies its user, and the keys are read once', async () => {
    const tokens = withKeys(noFault);
    const before = asked;
    const token = await sign({ header: { alg: 'RS256', kid: 'one' }, key: rsa.privateKey });
    expect(await Promise.all([userOf(tokens, token), userOf(tokens, `${token}x`)])).toEqual(['u1', 'invalid']);
    expect(asked - before).toBe(1);
  });

  test('a public key is never used as a shared secret', async () => {
    const tokens = withKeys(noFault);
    const pem = await exportSPKI(rsa.publicKey);
    const jwk = JSON.stringify(await exportJWK(rsa.publicKey));
    for (const secret of [pem, pem.trim(), jwk]) {
      const forged = await sign({ header: { alg: 'HS256', kid: 'one' }, key: bytesOf(secret) });
      expect(await userOf(tokens, forged)).toBe('invalid');
    }
  });

  const signRs = (claims: Changed = {}) => sign({ claims, header: { alg: 'RS256', kid: 'one' }, key: rsa.privateKey });

  test('a token is verified once, and then found in the cache synchronously', async () => {
    const tokens = withKeys(noFault);
    const token = await signRs();
    const first = tokens.verify(token, 'digest');
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toEqual({ userId: 'u1' });
    // Not even looked at again: only its digest counts.
    expect(tokens.verify('anything', 'digest')).toEqual({ userId: 'u1' });
    expect(tokens.verify(token, 'another digest')).toBeInstanceOf(Promise);
  });

  test('a rejected token is not cached', async () => {
    const tokens = withKeys(noFault);
    expect(await tokens.verify('x', 'digest')).toBe('malformed');
    expect(await tokens.verify(await signRs(), 'digest')).toEqual({ userId: 'u1' });
  });

  test('a token that is valid only within the clock tolerance is verified each time', async () => {
    const tokens = withKeys(noFault, { JWT_CLOCK_SKEW_S: 60 });
    const token = await signRs({ exp: nowS() - 1 });
    expect(await tokens.verify(token, 'digest')).toEqual({ userId: 'u1' });
    expect(tokens.verify(token, 'digest')).toBeInstanceOf(Promise);
  });

  test('no token is cached when the cache time is 0', async () => {
    const tokens = withKeys(noFault, { JWT_CACHE_MS: 0 });
    const token = await signRs();
    await tokens.verify(token, 'digest');
    expect(tokens.verify(token, 'digest')).toBeInstanceOf(Promise);
  });

  test('no more tokens are cached than the setting says, and the newest half of them is', async () => {
    const tokens = withKeys(noFault, { JWT_CACHE_MAX: 4 });
    const token = await signRs();
    const digests = Array.from({ length: 10 }, (_, i) => String(i));
    for (const digest of digests) await tokens.verify(token, digest);
    const cached = digests.filter((digest) => !(tokens.verify(token, digest) instanceof Promise));
    expect(cached.length).toBeLessThanOrEqual(4);
    expect(cached.slice(-2)).toEqual(['8', '9']);
  });

  test('unknown key ids do not cause repeated requests for the key set', async () => {
    const tokens = withKeys(noFault);
    const before = asked;
    const { privateKey } = await generateKeyPair('RS256');
    for (const kid of ['two', 'three', '../../etc/passwd', 'one']) {
      expect(await userOf(tokens, await sign({ header: { alg: 'RS256', kid }, key: privateKey }))).toBe('invalid');
    }
    expect(asked - before).toBe(1);
  });

  const broken: readonly [string, { status: number; body: string }][] = [
    ['an error', { status: 500, body: '{}' }],
    ['no JSON', { status: 200, body: '<html>' }],
    ['no keys', { status: 200, body: '{"keys":1}' }],
  ];
  test.each(broken)('an issuer that answers %s is unavailable, and makes no token invalid', async (_, wrong) => {
    const right = answer;
    answer = () => wrong;
    try {
      const faults: unknown[] = [];
      let elapsedMs = 0;
      const tokens = withKeys(
        (error) => faults.push(error),
        {},
        () => elapsedMs,
      );
      const token = await signRs();
      const before = asked;
      expect(await userOf(tokens, token)).toBe('unverifiable');
      expect(faults).toHaveLength(1);
      // It is asked once, however many tokens come meanwhile.
      for (let i = 0; i < 20; i += 1)
        expect(await userOf(tokens, await signRs({ jti: String(i) }))).toBe('unverifiable');
      expect(asked - before).toBe(1);
      answer = right;
      expect(await userOf(tokens, token)).toBe('unverifiable');
      elapsedMs += 5000;
      expect(await userOf(tokens, token)).toBe('u1');
    } finally {
      answer = right;
    }
  });
});

test('without secret and address tokens are off, and without issuer or audience there is no verifier', () => {
  const { JWT_SECRET: _secret, ...none } = tokenSettings;
  expect(createTokens(none, () => {})).toBeNull();
  const { JWT_AUDIENCE: _audience, ...careless } = tokenSettings;
  expect(() => createTokens(careless, () => {})).toThrow('tokens need an issuer and an audience');
});
