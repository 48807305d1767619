// auth-tokens.ts -- Tokens of users (JWT), verified once and then remembered by their digest: for a bounded time, never beyond
// their end, and never more than a bounded number of them.
//
// Nothing is left to the token: algorithms, issuer and audience are ours, and it must have an end. Algorithms are of one family,
// so that a public key is never taken for a shared secret.

import { createRemoteJWKSet, errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose';

/** Times in milliseconds or seconds, as their names say. */
export interface TokenSettings {
  readonly JWT_ISSUER?: string;
  readonly JWT_AUDIENCE?: string;
  readonly JWT_JWKS_URL?: string;
  readonly JWT_SECRET?: string;
  readonly JWT_ALGORITHMS?: string;
  readonly JWT_USER_CLAIM: string;
  readonly JWT_CLOCK_SKEW_S: number;
  readonly JWT_CACHE_MS: number;
  readonly JWT_CACHE_MAX: number;
}

/** Whom a caller may act for. */
export interface Caller {
  /** The only user; null: every user. */
  readonly userId: string | null;
}

export interface Tokens {
  /**
   * Whose token it is, at once if it has been verified lately.
   *
   * @param digest what it is remembered by
   * @returns `invalid`: it is wrong in any way; `unverifiable`: the keys of the issuer cannot be read
   */
  verify(token: string, digest: string): Caller | Promise<Caller | 'invalid' | 'unverifiable'>;
}

/** Wait for the keys of the issuer. */
const JWKS_MS_MAX = 3000;
/** Pause between two questions for keys that tokens name and the issuer has not: else every forged token would cost one. */
const JWKS_PAUSE_MS = 30_000;
/** Age of the keys: also how long a key that the issuer has withdrawn is still believed. */
const JWKS_AGE_MS_MAX = 600_000;

/**
 * Makes the verifier.
 *
 * @param onFault told when the keys of the issuer cannot be read
 * @returns null when the settings name neither a secret nor an address of keys: no tokens are taken
 */
export function createTokens(settings: TokenSettings, onFault: (error: unknown) => void): Tokens | null {
  const { JWT_SECRET: secret, JWT_JWKS_URL: jwksUrl } = settings;
  if (secret === undefined && jwksUrl === undefined) return null;
  const keyOf: JWTVerifyGetKey | Uint8Array =
    jwksUrl === undefined
      ? new TextEncoder().encode(secret)
      : createRemoteJWKSet(new URL(jwksUrl), {
          timeoutDuration: JWKS_MS_MAX,
          cooldownDuration: JWKS_PAUSE_MS,
          cacheMaxAge: JWKS_AGE_MS_MAX,
        });
  const verified = new VerifiedTokens(settings.JWT_CACHE_MS, settings.JWT_CACHE_MAX);
  const options = verifyOptions(settings);
  const check = async (token: string, digest: string): Promise<Caller | 'invalid' | 'unverifiable'> => {
    try {
      // The library has one overload for each kind of key.
      const { payload } = await (typeof keyOf === 'function'
        ? jwtVerify(token, keyOf, options)
        : jwtVerify(token, keyOf, options));
      const userId = userIdOf(payload[settings.JWT_USER_CLAIM]);
      if (userId === null || payload.exp === undefined) return 'invalid';
      const caller = { userId };
      verified.add(digest, caller, payload.exp * 1000);
      return caller;
    } catch (error) {
      if (isFaultOfToken(error)) return 'invalid';
      onFault(error);
      return 'unverifiable';
    }
  };
  return { verify: (token, digest) => verified.find(digest) ?? check(token, digest) };
}

function verifyOptions(settings: TokenSettings): JWTVerifyOptions {
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = settings;
  if (issuer === undefined || audience === undefined) {
    // The library would not check what it is not told.
    throw new Error('tokens need an issuer and an audience');
  }
  const usual = settings.JWT_SECRET === undefined ? 'RS256,PS256,ES256,EdDSA' : 'HS256';
  return {
    algorithms: (settings.JWT_ALGORITHMS ?? usual).split(','),
    issuer,
    audience,
    clockTolerance: settings.JWT_CLOCK_SKEW_S,
    requiredClaims: ['exp', settings.JWT_USER_CLAIM],
  };
}

/** The claim as a body would name the user: text, or a number as its decimal text. */
function userIdOf(claim: unknown): string | null {
  if (typeof claim === 'string' && claim !== '') return claim;
  return typeof claim === 'number' && Number.isSafeInteger(claim) && claim >= 0 ? String(claim) : null;
}

/** Whether it is the token that is wrong, not the way to the keys of its issuer. */
function isFaultOfToken(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return false;
  // `JOSEError` itself: the issuer answered with another status than 200, or with something that is not JSON.
  const ofKeys = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
  return !ofKeys && error.code !== errors.JOSEError.code;
}

class VerifiedTokens {
  readonly #ageMsMax: number;
  readonly #countMax: number;
  readonly #byDigest = new Map<string, { readonly caller: Caller; readonly untilMs: number }>();

  constructor(ageMsMax: number, countMax: number) {
    this.#ageMsMax = ageMsMax;
    this.#countMax = countMax;
  }

  find(digest: string): Caller | null {
    const known = this.#byDigest.get(digest);
    if (!known) return null;
    if (Date.now() < known.untilMs) return known.caller;
    this.#byDigest.delete(digest);
    return null;
  }

  add(digest: string, caller: Caller, endMs: number): void {
    const nowMs = Date.now();
    const untilMs = Math.min(nowMs + this.#ageMsMax, endMs);
    if (untilMs <= nowMs) return;
    if (this.#byDigest.size >= this.#countMax) {
      // A map keeps the order of insertion: the first is the oldest.
      for (const oldest of this.#byDigest.keys()) {
        this.#byDigest.delete(oldest);
        break;
      }
    }
    this.#byDigest.set(digest, { caller, untilMs });
  }
}
