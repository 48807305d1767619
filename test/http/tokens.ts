// tokens.ts -- Tokens as an issuer signs them, and as those forge them who would like to be one.

import { hash } from 'node:crypto';
import { type CryptoKey, type JWTPayload, SignJWT } from 'jose';
import { createTokens, type Tokens, type TokenSettings } from '../../src/auth/tokens.ts';

export const SECRET = 'a-secret-that-is-shared-with-the-issuer';
export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'coupons';

/** Settings of an installation that shares a secret with its issuer. */
export const tokenSettings: TokenSettings = {
  JWT_ISSUER: ISSUER,
  JWT_AUDIENCE: AUDIENCE,
  JWT_AUDIENCE_CLAIM: 'aud',
  JWT_SECRET: SECRET,
  JWT_USER_CLAIM: 'sub',
  JWT_CLOCK_SKEW_S: 0,
  JWT_CACHE_MS: 60_000,
  JWT_CACHE_MAX: 100,
};

/** The verifier of such an installation. A way to keys that fails is a fault of the test. */
export function tokensWith(change: Partial<TokenSettings> = {}): Tokens {
  const tokens = createTokens({ ...tokenSettings, ...change }, (error) => {
    throw error;
  });
  if (!tokens) throw new Error('these settings take no tokens');
  return tokens;
}

/** Verifies as a request would: the user, `unverifiable`, or `invalid` for whatever reason. */
export async function userOf(tokens: Tokens, token: string): Promise<string | null> {
  const verified = await tokens.verify(token, hash('sha256', token, 'hex'));
  if (typeof verified === 'string') return verified === 'unverifiable' ? verified : 'invalid';
  return verified.userId;
}

export interface Signed {
  readonly claims?: { readonly [Name in keyof JWTPayload]?: JWTPayload[Name] | undefined };
  readonly header?: { readonly alg: string; readonly kid?: string };
  readonly key?: Uint8Array | CryptoKey;
}

/** Signs a token that is right, but for what is changed; a claim that is undefined is left out. */
export function sign({ claims = {}, header = { alg: 'HS256' }, key = bytesOf(SECRET) }: Signed = {}): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  const usual = { sub: 'u1', iss: ISSUER, aud: AUDIENCE, iat: nowS, exp: nowS + 600 };
  return new SignJWT({ ...usual, ...claims } as JWTPayload).setProtectedHeader(header).sign(key);
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A part of a token: JSON in base64url. */
export function partOf(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
