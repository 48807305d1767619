// session.ts -- Who is signed in: a bearer key and what it may do, kept in this tab's session alone. All that knows of credentials is here.

import { computed, signal } from '@preact/signals';
import { createCouponClient, type Key, type Scope } from '../../client/coupon-client.ts';
import { ApiFault, type Answered, type Ask, ask } from './http.ts';

interface Session {
  readonly key: string;
  readonly scopes: readonly Scope[];
}

const STORED = 'console-session';

/** Null when nobody is signed in. */
export const session = signal<Session | null>(readSession());

/** Whether the server stopped taking the key that was in use, which whoever must sign in anew wants to know. */
export const wasEnded = signal(false);

/** A key with the scope `read` looks, and changes nothing: what it would be refused is not offered to it. */
export const mayChange = computed(() => session.value?.scopes.includes('admin') ?? false);

/** For what is followed, not asked: the events of a coupon. */
export const follower = createCouponClient({ url: location.origin, token: () => session.value?.key ?? null });

/** How signing in ended, where the server answered. */
export type SignedIn = 'signed in' | 'wrong' | 'too small';

/** Signs in if the server takes the key, and if it may at least look. Throws `ApiFault` when that cannot be told. */
export async function signIn(key: string): Promise<SignedIn> {
  // What no header can carry is no key, and would look like a server that does not answer.
  if (!/^[\x21-\x7e]+$/.test(key)) return 'wrong';
  const scopes = await scopesOf(key);
  if (scopes === null) return 'wrong';
  if (!scopes.includes('admin') && !scopes.includes('read')) return 'too small';
  sessionStorage.setItem(STORED, JSON.stringify({ key, scopes } satisfies Session));
  session.value = { key, scopes };
  wasEnded.value = false;
  return 'signed in';
}

export function signOut(): void {
  sessionStorage.removeItem(STORED);
  session.value = null;
}

/** Asks as who is signed in; whoever is no longer welcome is signed out, and told why. Throws `ApiFault`. */
export async function asOperator<Body>(path: string, options: Omit<Ask, 'key'> = {}): Promise<Answered<Body>> {
  const key = session.value?.key ?? null;
  try {
    return await ask<Body>(path, { ...options, key });
  } catch (fault) {
    // The answer to a question of an earlier session says nothing of this one.
    if (fault instanceof ApiFault && fault.status === 401 && session.value?.key === key) {
      wasEnded.value = true;
      signOut();
    }
    throw fault;
  }
}

async function scopesOf(key: string): Promise<readonly Scope[] | null> {
  try {
    const { body } = await ask<Key>('/v1/key', { key });
    return body.scopes;
  } catch (fault) {
    if (fault instanceof ApiFault && fault.status === 401) return null;
    throw fault;
  }
}

/** Only this page writes it, so that it is there as it was written, or not at all. */
function readSession(): Session | null {
  const stored = sessionStorage.getItem(STORED);
  return stored === null ? null : (JSON.parse(stored) as Session);
}
