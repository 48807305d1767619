// hs256.test.ts -- Holds the verifier of tokens with a secret against another implementation: whatever is sent, both say the same.

import { createHmac } from 'node:crypto';
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { jwtVerify } from 'jose';
import { secretTokenVerifier } from '../../src/auth/hs256.ts';
import { AUDIENCE, bytesOf, ISSUER, partOf, SECRET } from './tokens.ts';

const CLOCK_SKEW_S = 5;
const algorithms = ['HS256', 'HS512'];
const verifier = secretTokenVerifier({
  secrets: ['another-secret-of-this-installation', SECRET],
  algorithms,
  issuer: ISSUER,
  audience: AUDIENCE,
  audienceClaim: 'aud',
  clockSkewS: CLOCK_SKEW_S,
});

/** The claims, or null for whatever reason. */
function verify(token: string) {
  const verified = verifier(token);
  return typeof verified === 'string' ? null : verified;
}

async function claimsByLibrary(token: string): Promise<unknown> {
  try {
    const options = { algorithms, issuer: ISSUER, audience: AUDIENCE, clockTolerance: CLOCK_SKEW_S };
    return (await jwtVerify(token, bytesOf(SECRET), { ...options, requiredClaims: ['exp'] })).payload;
  } catch {
    // Refused, for whatever reason.
    return null;
  }
}

/** A right signature over any two parts, as a careless issuer would make it. */
function signed(header: string, claims: string, algorithm = 'HS256', secret = SECRET): string {
  const text = `${header}.${claims}`;
  return `${text}.${createHmac(`sha${algorithm.slice(2)}`, secret)
    .update(text)
    .digest('base64url')}`;
}

/** Nearly always one of the first, so that most tokens are wrong in one thing or in nothing. */
function mostly<T>(right: readonly T[], wrong: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...right) },
    { weight: 1, arbitrary: fc.constantFrom(...wrong) },
  );
}

const nowS = Math.floor(Date.now() / 1000);
// Far from the edges: the two look at the clock one after the other.
const noInstants = [`${nowS + 600}`, null, true, [nowS + 600], {}];
const claims = fc.record(
  {
    iss: mostly<unknown>([ISSUER], [`${ISSUER}/`, '', null, [ISSUER], 1]),
    aud: mostly<unknown>([AUDIENCE, [AUDIENCE], ['x', AUDIENCE], [1, AUDIENCE]], ['x', [], null, { 0: AUDIENCE }]),
    exp: mostly<unknown>([nowS + 600, nowS + 600.5, 1e300], [nowS - 600, 0, -1, ...noInstants]),
    nbf: mostly<unknown>([nowS - 600, 0, -1, 0.5], [nowS + 600, ...noInstants]),
    iat: mostly<unknown>([nowS, 0, nowS + 600], noInstants),
    sub: fc.constantFrom<unknown>('u1', 7, null),
    사용자: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\uFFFD')),
  },
  { requiredKeys: ['iss', 'aud', 'exp'] },
);
const inBase64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64url');
const payloads = fc.oneof(
  { weight: 24, arbitrary: claims.map(partOf) },
  // What is signed well and is no claims: lists, other JSON, no JSON, no UTF-8, no base64url at all.
  { weight: 1, arbitrary: claims.map((value) => partOf([value])) },
  { weight: 1, arbitrary: fc.json().map(inBase64) },
  { weight: 1, arbitrary: fc.uint8Array().map(inBase64) },
  { weight: 1, arbitrary: fc.string() },
);
const header = fc.record(
  {
    alg: mostly<unknown>(['HS256', 'HS256', 'HS512'], ['HS384', 'hs256', 'none', 'RS256', '', null]),
    typ: fc.constantFrom<unknown>('JWT', 'at+jwt', null),
    kid: fc.string(),
  },
  { requiredKeys: ['alg'] },
);
/** What happens to a token on its way; most often nothing. */
const spoil = mostly<(text: string) => string>(
  [(text) => text],
  [
    (text) => `${text}A`,
    (text) => text.slice(0, -1),
    (text) => ` ${text}`,
    (text) => `${text}.`,
    (text) => text.replace('.', '..'),
    (text) => text.slice(0, text.lastIndexOf('.') + 1),
  ],
);
const token = fc
  .record({
    header,
    payload: payloads,
    algorithm: mostly(['asked'], ['HS256', 'HS384', 'HS512']),
    secret: mostly([SECRET], [`${SECRET} `, 'x']),
    spoil,
  })
  .map((parts) => {
    const { alg } = parts.header;
    const asked = algorithms.find((algorithm) => algorithm === alg) ?? 'HS256';
    const algorithm = parts.algorithm === 'asked' ? asked : parts.algorithm;
    return parts.spoil(signed(partOf(parts.header), parts.payload, algorithm, parts.secret));
  });

test('of a thousand tokens, right and wrong, each is answered as the library for public keys answers it', async () => {
  const taken = { yes: 0, no: 0 };
  const agree = fc.asyncProperty(token, async (text) => {
    const found = verify(text);
    taken[found === null ? 'no' : 'yes'] += 1;
    expect(found).toEqual((await claimsByLibrary(text)) as typeof found);
  });
  await fc.assert(agree, { numRuns: 1000 });
  // Else the two might agree because nothing is ever taken.
  expect(Math.min(taken.yes, taken.no)).toBeGreaterThan(100);
});

const good = partOf({ iss: ISSUER, aud: AUDIENCE, exp: nowS + 600, sub: 'u1' });

test('no header that was good before makes another one good', () => {
  const plain = partOf({ alg: 'HS256' });
  expect(verify(signed(plain, good))).toMatchObject({ sub: 'u1' });
  for (const alg of ['none', 'HS384', '', null, ['HS256'], 'constructor', '__proto__']) {
    expect(verify(signed(partOf({ alg }), good))).toBeNull();
    expect(verify(`${partOf({ alg })}.${good}.`)).toBeNull();
  }
  expect(verify(signed(partOf({ alg: 'HS512' }), good, 'HS512'))).toMatchObject({ sub: 'u1' });
  expect(verify(signed(plain, good, 'HS512'))).toBeNull();
  expect(verify(signed(plain, good))).toMatchObject({ sub: 'u1' });
});

test('where the standard leaves a choice, the stricter one is taken', () => {
  const plain = partOf({ alg: 'HS256' });
  expect(verify(signed(partOf({ alg: 'HS256', crit: ['b64'], b64: true }), good))).toBeNull();
  const endless = `{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":1e999}`;
  expect(verify(signed(plain, inBase64(endless)))).toBeNull();
  const marked = inBase64(`\uFEFF{"iss":"${ISSUER}","aud":"${AUDIENCE}","exp":${nowS + 600}}`);
  for (const payload of [marked, `${good}=`, `${good}==`, `${good}\n`])
    expect(verify(signed(plain, payload))).toBeNull();
  for (const padding of ['=', '==', ' ', '\n']) expect(verify(`${signed(plain, good)}${padding}`)).toBeNull();
  const replaced = partOf({ iss: ISSUER, aud: AUDIENCE, exp: nowS + 600, name: '\uFFFD' });
  expect(verify(signed(plain, replaced))).toBeNull();
  // 32 bytes leave two bits of the last of 43 characters unused: the other three spellings of them are no signature.
  const text = signed(plain, good);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(text.slice(-1));
  const spellings = [0, 1, 2, 3].map((bits) => `${text.slice(0, -1)}${alphabet[(last & ~3) | bits] ?? ''}`);
  expect(spellings.filter((spelling) => verify(spelling) !== null)).toEqual([text]);
});

test('a public algorithm is no algorithm of a secret', () => {
  const options = { secrets: [SECRET], issuer: ISSUER, audience: AUDIENCE, audienceClaim: 'aud', clockSkewS: 0 };
  for (const algorithm of ['RS256', 'none', 'toString', '']) {
    expect(() => secretTokenVerifier({ ...options, algorithms: [algorithm] })).toThrow('does not sign with a secret');
  }
});
