// identity.ts -- Who the user is. This demonstration makes up a user for the browser; a shop knows its own, and passes its token.

/** The user, and the bearer token where the installation requires one. */
export interface Identity {
  readonly userId: string;
  readonly token: string | null;
}

const STORED_USER = 'drop-user';
const STORED_TOKEN = 'drop-token';

/** `#user=…&token=…` of the address come first; a made-up user is the same as long as the browser remembers it. */
export function readIdentity(): Identity {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = [given.get('token'), sessionStorage.getItem(STORED_TOKEN)].find(isToken) ?? null;
  if (token !== null) sessionStorage.setItem(STORED_TOKEN, token);
  const userId =
    given.get('user') ??
    localStorage.getItem(STORED_USER) ??
    `guest-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
  localStorage.setItem(STORED_USER, userId);
  // A token must not stay where it can be seen and copied.
  if (location.hash !== '') history.replaceState(null, '', location.pathname);
  return { userId, token };
}

/** What a header can carry. Links are cut and mangled on their way. */
function isToken(text: string | null): text is string {
  return text !== null && /^[\x21-\x7e]+$/.test(text);
}
