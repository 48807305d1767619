// identity.ts -- Who the user is. This demonstration makes up a user for the browser; a shop knows its own, and passes its token.
//
// A link can be sent by anybody. So one that names another user than this browser has is only an offer, until the user has agreed.

import { readStored, store } from '../shared/storage.ts';

/** The user, and the bearer token where the installation requires one. */
export interface Identity {
  readonly userId: string;
  readonly token: string | null;
}

export interface Identities {
  readonly current: Identity;
  /** Whom the link names, where that is somebody else. */
  readonly offered: Identity | null;
}

/** Where the user of the browser is stored; other pages of the browser see a change. */
export const STORED_USER = 'drop-user';
const STORED_TOKEN = 'drop-token';

/** Reads `#user=…&token=…` of the address; a made-up user is the same as long as the browser remembers it. */
export function readIdentities(): Identities {
  // A `+` is part of some ids, and no space as in a form.
  const given = new URLSearchParams(location.hash.slice(1).replaceAll('+', '%2B'));
  // A token must not stay where it can be seen and copied.
  if (location.hash !== '') history.replaceState(null, '', location.pathname);
  const user = headerText(given.get('user'));
  const token = headerText(given.get('token'));
  const stored = readStored('localStorage', STORED_USER);
  const kept = { userId: stored ?? user ?? madeUp(), token: headerText(readStored('sessionStorage', STORED_TOKEN)) };
  if (user !== null && user !== kept.userId) return { current: kept, offered: { userId: user, token } };
  return { current: remember({ ...kept, token: token ?? kept.token }), offered: null };
}

/** From now on the browser has this user. */
export function remember(identity: Identity): Identity {
  store('localStorage', STORED_USER, identity.userId);
  store('sessionStorage', STORED_TOKEN, identity.token);
  return identity;
}

function madeUp(): string {
  return `guest-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
}

/** What a header can carry; else null. Links are cut and mangled on their way. */
function headerText(text: string | null): string | null {
  return text !== null && /^[\x21-\x7e]+$/.test(text) ? text : null;
}
