// authority.ts -- Who may do what: users by a token, backends and operators by a key. No answer reveals which keys or users exist.
//
// Keys are stored as SHA-256 digests, and verified tokens are cached by theirs; it is computed once per request. With `AUTH=off`
// any caller may issue and read a status; operator routes still require a key.

import { hash } from 'node:crypto';
import type { KeyRing, Scope, StoredKey } from './api-keys.ts';
import type { Actor } from './audit-trail.ts';
import { type TokenFault, tokenFaults } from './hs256.ts';
import type { Caller, Tokens, Verified } from './tokens.ts';
import type { Access } from '../http/document/declaration.ts';
import { problem, retryAfter } from '../http/problem.ts';
import { addressOf } from '../http/rate-limit/address.ts';
import { invariant } from '../invariant.ts';

/** Refuses a request with 401 or 403, or returns null. */
export type Guard = (request: Request) => Response | null;

export interface Authority {
  /** Whether callers of the issue routes must say who they are. */
  readonly isOn: boolean;
  /** For routes of backends and operators: a key with this scope, or with `admin`. Works with `AUTH=off` too. */
  guard(scope: Scope): Guard;
  /** The scopes of the key in a request, or the answer that refuses: 401, or 403 where there are no keys at all. */
  scopesOf(request: Request): readonly Scope[] | Response;
  /**
   * For routes about one user: a key with this scope acts for every user, a user's own token for that user alone. Synchronous,
   * except for a token of public keys that is not cached.
   *
   * @returns the caller, or the answer that refuses: 401, 403, or 503 when the keys that tokens are signed with cannot be read
   */
  admit(request: Request, scope: Scope): Caller | Response | Promise<Caller | Response>;
  /** Has at hand what verifying needs, before a drop opens. */
  prepare(): Promise<void>;
}

export interface AuthorityDependencies {
  readonly isOn: boolean;
  readonly keys: Pick<KeyRing, 'find' | 'isEmpty'>;
  /** null: tokens of users are not accepted. */
  readonly tokens: Tokens | null;
  readonly retryAfterS: number;
  /** Called for each 401, with its reason; the credential is not to be logged. */
  readonly onRefused: (reason: RefusalReason, request: Request) => void;
}

/** Why a caller is unauthenticated. `unknown credential`: neither a key, nor a token where none is taken. */
export type RefusalReason = TokenFault | 'none sent' | 'unknown credential';

const SCHEME = 'bearer ';
/** Longer than any key, and than tokens that servers let through; bounds what is hashed before authentication. */
const CREDENTIAL_LENGTH_MAX = 8192;

export function createAuthority({ isOn, keys, tokens, retryAfterS, onRefused }: AuthorityDependencies): Authority {
  const missing = (request: Request) => {
    onRefused('none sent', request);
    return problem(
      'UNAUTHENTICATED',
      'This route requires `Authorization: Bearer …`.',
      {},
      { 'www-authenticate': 'Bearer' },
    );
  };
  const unknown = (reason: RefusalReason, request: Request) => {
    onRefused(reason, request);
    return invalidToken(reason);
  };
  const toAnswer = (verified: Verified, request: Request): Caller | Response => {
    if (verified === 'unverifiable') return unverifiable(retryAfterS);
    return typeof verified === 'string' ? unknown(verified, request) : verified;
  };
  const admitKnown = (request: Request, scope: Scope): Caller | Response | Promise<Caller | Response> => {
    const credential = credentialOf(request);
    if (credential === null) return missing(request);
    // In a rush nearly everybody is a user.
    const user = tokens === null ? null : tokens.recognize(credential);
    if (user !== null) return user;
    const digest = digestOf(credential);
    const key = keys.find(digest);
    if (key) return allows(key.scopes, scope) ? { userId: null, keyDigest: digest } : tooSmall(scope);
    if (!tokens) return unknown('unknown credential', request);
    const verified = tokens.verify(credential, digest);
    return verified instanceof Promise
      ? verified.then((known) => toAnswer(known, request))
      : toAnswer(verified, request);
  };
  const findKey = (request: Request) => {
    if (keys.isEmpty()) return problem('FORBIDDEN', OFF);
    const credential = credentialOf(request);
    if (credential === null) return missing(request);
    return keys.find(digestOf(credential)) ?? unknown('unknown credential', request);
  };
  return {
    isOn,
    admit: isOn ? admitKnown : () => everybody,
    guard: (scope) => (request) => {
      const key = findKey(request);
      if (key instanceof Response) return key;
      if (!allows(key.scopes, scope)) return tooSmall(scope);
      admitted.set(request, key);
      return null;
    },
    scopesOf: (request) => {
      const key = findKey(request);
      return key instanceof Response ? key : key.scopes;
    },
    prepare: async () => tokens?.prepare(),
  };
}

/** The key that a guard let a request through with: it may be revoked before the request is done. */
const admitted = new WeakMap<Request, StoredKey>();

/** The key of a request that a guard let through. */
export function keyOf(request: Request): StoredKey {
  const key = admitted.get(request);
  invariant(key, 'a request that no guard let through changes something');
  return key;
}

/** Who sent a request that a guard let through. */
export function operatorOf(request: Request): Actor {
  const { keyId, name } = keyOf(request);
  return { keyId, name, address: addressOf(request) };
}

/** Operators with a key of this scope. */
export function operatorsWith(authority: Pick<Authority, 'guard'>, scope: Scope): Access {
  return { callers: ['operator'], refuse: authority.guard(scope) };
}

/**
 * Backends with a key of the scope `issue`, with `AUTH=off` too: for what a user must not do to their own issue, such as undoing its use.
 */
export function backendsWith(authority: Pick<Authority, 'isOn' | 'guard'>): Access {
  return { callers: [authority.isOn ? 'backend' : 'operator'], refuse: authority.guard('issue') };
}

/**
 * The user whom the path names as `userId`, and keys of this scope, which act for every user. Callers without authority learn
 * nothing, since nothing is looked up for them.
 */
export function usersWith(authority: Pick<Authority, 'isOn' | 'admit'>, scope: 'read' | 'issue'): Access {
  return {
    callers: authority.isOn ? ['user', scope === 'read' ? 'operator' : 'backend'] : [],
    async refuse(request, { userId = null }) {
      const caller = await authority.admit(request, scope);
      if (caller instanceof Response) return caller;
      return mayActFor(caller, userId) ? null : userMismatch();
    },
  };
}

/** Whether a caller may act for a user; `userId` is null where a path cannot be decoded. */
export function mayActFor(caller: Caller, userId: string | null): boolean {
  return caller.userId === null || caller.userId === userId;
}

/** The refusal of a caller who names another user. The same whether that user exists or not. */
export function userMismatch(): Response {
  return problem('FORBIDDEN', 'The token belongs to a different user than the one in the request.');
}

/** What is stored of a credential, in memory and in MySQL: 64 hexadecimal digits. */
export function digestOf(credential: string): string {
  return hash('sha256', credential, 'hex');
}

const everybody: Caller = { userId: null };

const OFF = 'Operator routes are disabled: this installation has neither ADMIN_API_KEY nor another valid key.';

/** What the caller sent as `Authorization: Bearer …`; null if nothing that could be a credential. */
function credentialOf(request: Request): string | null {
  const header = request.headers.get('authorization');
  if (header === null || header.length > CREDENTIAL_LENGTH_MAX) return null;
  // No pattern: one that skips blanks on both sides takes quadratic time on a header of blanks. First as nearly everybody sends it.
  if (!header.startsWith('Bearer ') && header.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return null;
  return header.slice(SCHEME.length).trim();
}

function allows(scopes: readonly Scope[], wanted: Scope): boolean {
  return scopes.includes(wanted) || scopes.includes('admin');
}

function unverifiable(retryAfterS: number): Response {
  const detail = 'Tokens cannot be checked now, since the keys of their issuer cannot be read. Nothing was decided.';
  return problem('FAIL_COUPON_ISSUE_REQUEST', detail, {}, retryAfter(retryAfterS));
}

/**
 * What a client may know of its token, by RFC 6750: what is wrong with one that the issuer has signed, and that its key is none of those
 * that the issuer lists for everybody. Of any other, details would help an attacker.
 */
function invalidToken(reason: RefusalReason): Response {
  const isSigned = tokenFaults.indexOf(reason as TokenFault) > tokenFaults.indexOf('signature');
  const description =
    isSigned || reason === 'unknown key' ? `, error_description="${descriptions[reason] ?? reason}"` : '';
  const challenge = { 'www-authenticate': `Bearer error="invalid_token"${description}` };
  return problem(
    'UNAUTHENTICATED',
    'This is not a valid API key of this installation, and not an accepted token.',
    {},
    challenge,
  );
}

/** For people who debug their client. */
const descriptions: Partial<Record<RefusalReason, string>> = {
  'unknown key': 'the token names a key that its issuer does not list',
  issuer: 'the token is of another issuer',
  audience: 'the token is for another audience',
  'no expiry': 'the token has no exp',
  expired: 'the token has expired',
  'not yet valid': 'the token is not valid yet',
  'user claim': 'the token has no user id',
};

function tooSmall(scope: Scope): Response {
  const challenge = { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` };
  return problem('FORBIDDEN', `This requires an API key with the scope \`${scope}\`.`, {}, challenge);
}
