// api-key-store.ts -- API keys in MySQL: made, listed, revoked. Only digests are stored, so that a copy of the table opens nothing.

import { and, asc, eq, isNull } from 'drizzle-orm';
import { apiKeys } from '../../drizzle/schema.ts';
import { type Actor, record, SYSTEM } from './audit-trail.ts';
import { digestOf } from './authority.ts';
import { type Scope, type StoredKey, scopes } from './api-keys.ts';
import {
  type Database,
  isOnVitess,
  readFromPrimary,
  type Session,
  withConnection,
  withTransaction,
} from '../mysql/database.ts';
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
  by: Actor = SYSTEM,
): Promise<{ readonly id: number; readonly key: string }> {
  const key = MARK + Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url');
  const row = { name, scopes: granted.join(','), digest: digestOf(key), dateCreated: new Date() };
  return recorded(database, async (session) => {
    if ((await session.$count(apiKeys, isNull(apiKeys.dateRevoked))) >= KEYS_MAX) {
      throw new OperatorError(`there are ${KEYS_MAX} valid keys; revoke one first`);
    }
    const [{ insertId }] = await session.insert(apiKeys).values(row);
    const to = { keyId: insertId, name, scopes: granted };
    await record(session, by, { action: 'key.create', couponId: null, from: null, to });
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
export function revokeKey(database: Database, id: number, by: Actor = SYSTEM): Promise<boolean> {
  return recorded(database, async (session) => {
    const isValid = and(eq(apiKeys.id, id), isNull(apiKeys.dateRevoked));
    const [key] = await session.select().from(apiKeys).where(isValid).for('update');
    if (!key) return false;
    const from = { keyId: id, name: key.name, scopes: readScopes(key.scopes) };
    await record(session, by, { action: 'key.revoke', couponId: null, from, to: null });
    await session.update(apiKeys).set({ dateRevoked: new Date() }).where(isValid);
    return true;
  });
}

/** A transaction; on Vitess, where keys and their trail may be in two shards, statements one after the other. */
export async function recorded<Result>(
  database: Database,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  return (await isOnVitess(database)) ? withConnection(database, work) : withTransaction(database, work);
}

/** Ends every key; returns how many were valid. */
export function revokeAllKeys(database: Database, by: Actor): Promise<number> {
  return recorded(database, async (session) => {
    const isValid = isNull(apiKeys.dateRevoked);
    const keys = await session
      .select({ keyId: apiKeys.id, name: apiKeys.name })
      .from(apiKeys)
      .where(isValid)
      .for('update');
    await record(session, by, { action: 'key.revoke', couponId: null, from: { keys }, to: null });
    await session.update(apiKeys).set({ dateRevoked: new Date() }).where(isValid);
    return keys.length;
  });
}

/** Every valid key, as requests are checked against it. */
export function validKeys(database: Database): Promise<readonly StoredKey[]> {
  return readFromPrimary(database, async (session) => {
    const rows = await session
      .select({ keyId: apiKeys.id, name: apiKeys.name, digest: apiKeys.digest, scopes: apiKeys.scopes })
      .from(apiKeys)
      .where(isNull(apiKeys.dateRevoked))
      .limit(KEYS_MAX);
    return rows.map(({ scopes: text, ...key }) => ({ ...key, scopes: readScopes(text) }));
  });
}

/** Scopes that this release does not know grant nothing. */
function readScopes(text: string): readonly Scope[] {
  const granted = text.split(',');
  return scopes.filter((scope) => granted.includes(scope));
}
