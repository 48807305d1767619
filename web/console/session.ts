// session.ts -- Who is signed in: a bearer key, kept in this tab's session alone. Everything that knows of credentials is here.

import { signal } from '@preact/signals';
import { ApiFault, type Answered, type Ask, ask } from '../shared/http.ts';

const STORED = 'console-key';

/** The key in use; null when nobody is signed in. */
export const key = signal(sessionStorage.getItem(STORED));

/** Signs in if the server takes the key. Throws `ApiFault` when it does not. */
export async function signIn(given: string): Promise<void> {
  await ask('/v1/coupons?limit=1', { key: given });
  sessionStorage.setItem(STORED, given);
  key.value = given;
}

export function signOut(): void {
  sessionStorage.removeItem(STORED);
  key.value = null;
}

/** Asks as who is signed in; whoever is no longer welcome is signed out. Throws `ApiFault`. */
export async function asOperator<Body>(path: string, options: Omit<Ask, 'key'> = {}): Promise<Answered<Body>> {
  try {
    return await ask<Body>(path, { ...options, key: key.value });
  } catch (fault) {
    if (fault instanceof ApiFault && fault.status === 401) signOut();
    throw fault;
  }
}
