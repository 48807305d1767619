// api-key-store.ts -- API keys in MySQL: made, listed, revoked. Only digests are stored, so that a copy of the table opens nothing.

import { and, asc, eq, isNull } from 'drizzle-orm';
import { apiKeys } from '../../drizzle/schema.ts';
import { digestOf } from './authority.ts';
import { type Scope, type StoredKey, scopes } from './api-keys.ts';
import { type Database, readFromPrimary, withConnection } from '../mysql/database.ts';
import { OperatorError } from '../operator-error.ts';

/** Keys that may be valid at once: every process holds all of them. */
export const KEYS_MAX = 1000;

/** Tells keys from tokens and from other secrets, for people and for scanners of leaked secrets. */
const MARK = 'ck_';

/**
 * Makes a key of 256 random bits. Several are valid at once, so that one can take the place of another without a gap.
 *
 * @returns its id, and the key itself, which is shown only here
 * @throws OperatorError when there are KEYS_MAX valid keys; what MySQL throws
 */
export async function createKey(
  database: Database,
  { name, scopes: granted }: { readonly name: string; readonly scopes: readonly Scope[] },
): Promise<{ readonly id: number; readonly key: string }> {
  const key = MARK + Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
  const row = { name, scopes: granted.join(','), digest: digestOf(key), dateCreated: new Date() };
  // Not a transaction, which would hold no other process back either.
  return withConnection(database, async (session) => {
    if ((await session.$count(apiKeys, isNull(apiKeys.dateRevoked))) >= KEYS_MAX) {
      throw new OperatorError(`there are ${KEYS_MAX} valid keys; revoke one first`);
    }
    const [{ insertId }] = await session.insert(apiKeys).values(row);
    return { id: insertId, key };
  });
}

/** Every key there is or was, in order of id, as operators see it: `dateRevoked` is null while it is valid. */
export function listKeys(database: Database) {
  return readFromPrimary(database, async (session) => {
    const { id, name, scopes: text, dateCreated, dateRevoked } = apiKeys;
    const rows = await session.select({ id, name, text, dateCreated, dateRevoked }).from(apiKeys).orderBy(asc(id));
    return rows.map(({ text: granted, ...row }) => ({ ...row, scopes: readScopes(granted) }));
  });
}

/** Ends a key. False: there is no valid key with this id. */
export function revokeKey(database: Database, id: number): Promise<boolean> {
  return withConnection(database, async (session) => {
    const [{ affectedRows }] = await session
      .update(apiKeys)
      .set({ dateRevoked: new Date() })
      .where(and(eq(apiKeys.id, id), isNull(apiKeys.dateRevoked)));
    return affectedRows === 1;
  });
}

/** Ends every key; returns how many were valid. */
export function revokeAllKeys(database: Database): Promise<number> {
  return withConnection(database, async (session) => {
    const [{ affectedRows }] = await session
      .update(apiKeys)
      .set({ dateRevoked: new Date() })
      .where(isNull(apiKeys.dateRevoked));
    return affectedRows;
  });
}

/** Every valid key, as requests are checked against it. */
export function validKeys(database: Database): Promise<readonly StoredKey[]> {
  return readFromPrimary(database, async (session) => {
    const rows = await session
      .select({ digest: apiKeys.digest, scopes: apiKeys.scopes })
      .from(apiKeys)
      .where(isNull(apiKeys.dateRevoked))
      .limit(KEYS_MAX);
    return rows.map(({ digest, scopes: text }) => ({ digest, scopes: readScopes(text) }));
  });
}

/** Scopes that this release does not know grant nothing. */
function readScopes(text: string): readonly Scope[] {
  const granted = text.split(',');
  return scopes.filter((scope) => granted.includes(scope));
}
