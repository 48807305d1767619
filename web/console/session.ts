// session.ts -- Who is signed in: an API key and its scopes, kept in this tab's session alone. Only this file knows credentials.

import { computed, signal } from '@preact/signals';
import {
  type Ambiguous,
  type CouponClient,
  type CouponCodes,
  createCouponClient,
  type Key,
  type Readiness,
  type Refused,
  type RequestResult,
} from '../../client/coupon-client.ts';
import { type Upload, uploadCodes } from './codes/upload.ts';

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

/** Whether the server that answers takes requests; null without an answer. Known to operators with its reasons. */
export async function readReadiness(): Promise<Readiness | null> {
  try {
    const headers = { authorization: `Bearer ${token()}` };
    const answer = await fetch(`${url}/readyz`, { headers, signal: AbortSignal.timeout(4000) });
    const body = (await answer.json()) as Partial<Readiness>;
    return typeof body.ready === 'boolean' && Array.isArray(body.checks) ? (body as Readiness) : null;
  } catch {
    return null;
  }
}

/** Reads a file as who is signed in; null when that failed, or ended before its end. */
export async function readFile(path: string, type: string): Promise<Blob | null> {
  const key = token();
  try {
    const answer = await fetch(`${url}${path}`, { headers: { accept: type, authorization: `Bearer ${key}` } });
    if (answer.ok) return await answer.blob();
    if (answer.status === 401 && token() === key) {
      wasEnded.value = true;
      signOut();
    }
  } catch {
    // The connection broke.
  }
  return null;
}

/** Uploads codes as who is signed in. */
export function uploadAsOperator(upload: Omit<Upload, 'key'>): Promise<RequestResult<CouponCodes>> {
  return asOperator(() => uploadCodes({ ...upload, key: token() ?? '' }));
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
