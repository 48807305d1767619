// session.ts -- Who is signed in: an API key and its scopes, kept in this tab's session alone. Only this file knows credentials.

import { computed, signal } from '@preact/signals';
import {
  type Ambiguous,
  type CouponClient,
  createCouponClient,
  type Key,
  type Refused,
  type RequestResult,
} from '../../client/coupon-client.ts';

interface Session extends Key {
  readonly key: string;
}

const STORED = 'console-session';

/** Null when nobody is signed in. */
export const session = signal<Session | null>(readSession());

/** Whether the server stopped accepting the key that was in use: the sign-in page says so. */
export const wasEnded = signal(false);

/** A key with the scope `read` may only look: what it would be refused is not offered. */
export const mayChange = computed(() => session.value?.scopes.includes('admin') ?? false);

const url = location.origin;
const token = () => session.value?.key ?? null;

/** For the events of a coupon, which connect again by themselves. */
export const follower = createCouponClient({ url, token });

/** Without retries: an operator sees what happened, and decides what to do again. */
const client = createCouponClient({ url, token, attemptsMax: 1 });
/** For an audit, which reads all rows of a coupon. */
export const patientClient = createCouponClient({
  url,
  token,
  attemptsMax: 1,
  attemptMsMax: 60_000,
  timeMsMax: 60_000,
});

/** Calls the API as who is signed in; when the server does not accept the key any more, the session ends. */
export async function asOperator<Value>(
  call: (client: CouponClient) => Promise<RequestResult<Value>>,
): Promise<RequestResult<Value>> {
  const key = token();
  const result = await call(client);
  // The answer to a request of an earlier session says nothing of this one.
  if (isUnauthenticated(result) && token() === key) {
    wasEnded.value = true;
    signOut();
  }
  return result;
}

/** The result of signing in; a key that is `too small` may not even look. */
export type SignedIn = { readonly kind: 'signed in' | 'wrong' | 'too small' } | Refused | Ambiguous;

/** Signs in if the server accepts the key, and if it may at least look. */
export async function signIn(key: string): Promise<SignedIn> {
  // What no header can carry is no key, and would look like a server that does not answer.
  if (!/^[\x21-\x7e]+$/.test(key)) return { kind: 'wrong' };
  const result = await createCouponClient({ url, token: key, attemptsMax: 1 }).key();
  if (isUnauthenticated(result)) return { kind: 'wrong' };
  if (result.kind !== 'done') return result;
  const { scopes } = result.value;
  if (!scopes.includes('admin') && !scopes.includes('read')) return { kind: 'too small' };
  sessionStorage.setItem(STORED, JSON.stringify({ key, scopes } satisfies Session));
  session.value = { key, scopes };
  wasEnded.value = false;
  return { kind: 'signed in' };
}

export function signOut(): void {
  sessionStorage.removeItem(STORED);
  session.value = null;
}

function isUnauthenticated(result: RequestResult<unknown>): boolean {
  return result.kind === 'refused' && result.problem.status === 401;
}

/** Only this page writes it, so that it is there as it was written, or not at all. */
function readSession(): Session | null {
  const stored = sessionStorage.getItem(STORED);
  return stored === null ? null : (JSON.parse(stored) as Session);
}
