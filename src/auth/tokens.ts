// tokens.ts -- Tokens of users (JWT). Those signed with a shared secret are verified each time, since that is cheap. Those signed
// with a private key are verified once and then cached by their digest: for a bounded time, never beyond their expiry, and a
// bounded number of them.
//
// The token decides nothing: algorithms, issuer and audience are configured, and it must expire. Algorithms are of one family,
// so that a public key is never used as a shared secret.

import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, jwtVerify } from 'jose';
import QuickLRU from 'quick-lru';
import type { Config } from '../config/config.ts';
import { parseExactly } from '../http/exact-json.ts';
import { type Claims, isFor, secretTokenVerifier, type TokenFault } from './hs256.ts';

export type TokenSettings = Pick<Config, Extract<keyof Config, `JWT_${string}`>>;

/** The user a caller may act for. */
export interface Caller {
  /** The only user; null: every user. */
  readonly userId: string | null;
  /** The digest of the API key that was shown; undefined for a user. */
  readonly keyDigest?: string;
}

export interface Tokens {
  /** The caller, where verifying is cheaper than a digest; else null. What is wrong with an invalid token `verify` says. */
  recognize(token: string): Caller | null;
  /**
   * The caller. Synchronous if the token is signed with a secret, or is cached.
   *
   * @param digest its key in the cache
   * @returns `unverifiable`: the keys of the issuer cannot be read
   */
  verify(token: string, digest: string): Verified | Promise<Verified>;
  /** Fetches the public keys of the issuer, so that no caller waits for them. A failure is reported, and tried again by the next token. */
  prepare(): Promise<void>;
}

export type Verified = Caller | TokenFault | 'unverifiable';

/** Wait for the keys of the issuer. */
const JWKS_MS_MAX = 3000;
/** Pause between two requests for keys that a token names and the issuer does not have: else every forged token would cost one. */
const JWKS_PAUSE_MS = 30_000;
/** Pause after a request for keys that failed: else every token would wait for an issuer that is down. */
const JWKS_FAULT_PAUSE_MS = 5000;
/** Age of the keys: also how long a key that the issuer has withdrawn is still accepted. */
const JWKS_AGE_MS_MAX = 600_000;
/** How often the keys are to be fetched ahead of time. */
export const JWKS_RENEWAL_MS = JWKS_AGE_MS_MAX / 2;

/**
 * Makes the verifier.
 *
 * @param onFault called when the keys of the issuer cannot be read
 * @param elapsedMs a clock that only goes forward
 * @returns null when the settings name neither a secret nor a JWKS address: no tokens are accepted
 */
export function createTokens(
  settings: TokenSettings,
  onFault: (error: unknown) => void,
  elapsedMs = () => performance.now(),
): Tokens | null {
  const { JWT_SECRET: secret, JWT_JWKS_URL: jwksUrl } = settings;
  if (secret !== undefined) return tokensOfSecret(secret, settings);
  return jwksUrl === undefined ? null : tokensOfKeys(new URL(jwksUrl), settings, onFault, elapsedMs);
}

function tokensOfSecret(secret: string, settings: TokenSettings): Tokens {
  const { JWT_SECRET_PREVIOUS: previous } = settings;
  const claimsOf = secretTokenVerifier({
    ...expected(settings, 'HS256'),
    // The current one is tried first.
    secrets: previous === undefined ? [secret] : [secret, previous],
    clockSkewS: settings.JWT_CLOCK_SKEW_S,
  });
  const verify = (token: string): Caller | TokenFault => {
    const claims = claimsOf(token);
    return typeof claims === 'string' ? claims : callerOf(claims, token, settings);
  };
  const recognize = (token: string): Caller | null => {
    const verified = verify(token);
    return typeof verified === 'string' ? null : verified;
  };
  return { recognize, verify, prepare: async () => undefined };
}

function tokensOfKeys(
  url: URL,
  settings: TokenSettings,
  onFault: (error: unknown) => void,
  elapsedMs: () => number,
): Tokens {
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: JWKS_MS_MAX,
    cooldownDuration: JWKS_PAUSE_MS,
    cacheMaxAge: JWKS_AGE_MS_MAX,
    [customFetch]: pausingFetch(fetchWithFiles(settings), JWKS_FAULT_PAUSE_MS, elapsedMs),
  });
  const verified = new VerifiedTokens(settings.JWT_CACHE_MS, settings.JWT_CACHE_MAX);
  // The audience may stand elsewhere than where the library looks.
  const { audience, audienceClaim, ...rest } = expected(settings, 'RS256,PS256,ES256,EdDSA');
  const options = {
    ...rest,
    clockTolerance: settings.JWT_CLOCK_SKEW_S,
    requiredClaims: ['exp', settings.JWT_USER_CLAIM],
  };
  const check = async (token: string, digest: string): Promise<Verified> => {
    try {
      const { payload } = await jwtVerify(token, keys, options);
      if (!isFor(payload, audienceClaim, audience)) return 'audience';
      if (!Number.isFinite(payload.exp)) return 'no expiry';
      const caller = callerOf(payload, token, settings);
      if (typeof caller === 'string') return caller;
      verified.add(digest, caller, Number(payload.exp) * 1000);
      return caller;
    } catch (error) {
      if (isFaultOfToken(error)) return faultOf(error, settings);
      onFault(error);
      return 'unverifiable';
    }
  };
  return {
    recognize: () => null,
    verify: (token, digest) => verified.find(digest) ?? check(token, digest),
    prepare: () => keys.reload().catch(onFault),
  };
}

/** Fetches with an authority and a certificate of one's own, where they are set: Bun and Deno name them in different ways. */
function fetchWithFiles({
  JWT_JWKS_CA: ca,
  JWT_JWKS_CERT: cert,
  JWT_JWKS_KEY: key,
}: TokenSettings): FetchImplementation {
  const shown = { ...(cert && { cert }), ...(key && { key }) };
  if (ca === undefined && cert === undefined) return fetch;
  const deno = (globalThis as { Deno?: { createHttpClient(options: object): unknown } }).Deno;
  const files = deno
    ? { client: deno.createHttpClient({ ...(ca && { caCerts: [ca] }), ...shown }) }
    : { tls: { ...(ca && { ca }), ...shown } };
  return (url, options) => fetch(url, { ...options, ...files });
}

/** Fetches, but repeats a failure for a time without a request. Tokens of keys that are already known are verified all the same. */
function pausingFetch(fetchKeys: FetchImplementation, pauseMs: number, elapsedMs: () => number): FetchImplementation {
  let failed: { readonly untilMs: number; readonly error: unknown } | null = null;
  return async (url, options) => {
    if (failed && elapsedMs() < failed.untilMs) throw failed.error;
    try {
      const answer = await fetchKeys(url, options);
      if (answer.status !== 200) throw new Error(`the JWKS of the token issuer were answered with ${answer.status}`);
      const found: unknown = await answer.json();
      if (!(found instanceof Object && 'keys' in found && Array.isArray(found.keys)))
        throw new Error('the JWKS hold no keys');
      failed = null;
      return Response.json(found);
    } catch (error) {
      failed = { untilMs: elapsedMs() + pauseMs, error };
      throw error;
    }
  };
}

/** What every token must satisfy. */
function expected(settings: TokenSettings, usualAlgorithms: string) {
  const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience, JWT_AUDIENCE_CLAIM: audienceClaim } = settings;
  if (issuer === undefined || audience === undefined) {
    // The library skips checks without a value.
    throw new Error('tokens need an issuer and an audience');
  }
  return { algorithms: (settings.JWT_ALGORITHMS ?? usualAlgorithms).split(','), issuer, audience, audienceClaim };
}

/** The user of the claims, as a body would name them: text, or a number in plain digits as its text. */
function callerOf(claims: Claims, token: string, { JWT_USER_CLAIM: name }: TokenSettings): Caller | TokenFault {
  const claim = Object.hasOwn(claims, name) ? claims[name] : undefined;
  if (typeof claim === 'string' && claim !== '') return { userId: claim };
  if (typeof claim !== 'number' || !Number.isSafeInteger(claim)) return 'user claim';
  // By its text: `42.0` and 9007199254740991.4 are other users than they say.
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const exact = Number((parseExactly(payload) as Claims)[name]);
  return Number.isNaN(exact) ? 'user claim' : { userId: String(exact) };
}

/** What the library found wrong. */
function faultOf(error: unknown, { JWT_USER_CLAIM: userClaim }: TokenSettings): TokenFault {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return claimFaults[error.claim] ?? (error.claim === userClaim ? 'user claim' : 'malformed');
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'unknown key';
  return error instanceof errors.JOSEAlgNotAllowed ? 'algorithm' : 'malformed';
}

const claimFaults: Readonly<Record<string, TokenFault>> = { iss: 'issuer', exp: 'no expiry', nbf: 'not yet valid' };

/** Whether the token is invalid, rather than the JWKS unreachable. */
function isFaultOfToken(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return false;
  // `JOSEError` itself: the issuer answered with another status than 200, or with something that is not JSON.
  const ofKeys = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
  return !ofKeys && error.code !== errors.JOSEError.code;
}

class VerifiedTokens {
  readonly #ageMsMax: number;
  readonly #byDigest: QuickLRU<string, { readonly caller: Caller; readonly untilMs: number }>;

  constructor(ageMsMax: number, countMax: number) {
    this.#ageMsMax = ageMsMax;
    // It keeps up to twice as many.
    this.#byDigest = new QuickLRU({ maxSize: Math.ceil(countMax / 2) });
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
    this.#byDigest.set(digest, { caller, untilMs });
  }
}
