// users.ts -- The users of the loads, and the tokens they show: a token for each, made ahead, so that no generator signs.

import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from './testbed.ts';

const SECRET = 'a-secret-that-only-this-bench-knows';
const ISSUER = 'https://issuer.example';
const AUDIENCE = 'coupons';
/** Longer than any run. */
const TOKEN_S = 86_400;

/** What an API needs to take the tokens. */
export const issuerSettings: Settings = {
  AUTH: 'on',
  JWT_SECRET: SECRET,
  JWT_ISSUER: ISSUER,
  JWT_AUDIENCE: AUDIENCE,
};

/** The users of issue.lua and guarded.lua, in their order. */
export function userOf(place: number): number {
  return 100_000_000_000 + ((place * 618_033_989) % 10_000_000_000);
}

/** The token of a user, as an issuer that shares a secret signs it. */
export function tokenOf(userId: string): string {
  const nowS = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: userId, iat: nowS, exp: nowS + TOKEN_S };
  const signed = `${partOf({ alg: 'HS256', typ: 'JWT' })}.${partOf(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/** Writes the tokens of users into a new file, a line each. The caller removes it. */
export function writeTokens(userIds: readonly string[]): { readonly file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'coupon-bench-tokens-'));
  const file = join(folder, 'tokens');
  writeFileSync(file, `${userIds.map(tokenOf).join('\n')}\n`);
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function partOf(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
