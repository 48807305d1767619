// keys.ts -- Entry of `bun run keys`: creates, lists and revokes the API keys of backends and operators. A key is shown once, when created.

import { parseArgs } from 'node:util';
import { type Scope, scopes } from '../auth/api-keys.ts';
import { commandActor } from '../auth/audit-trail.ts';
import { createKey, listKeys, revokeAllKeys, revokeKey } from '../auth/api-key-store.ts';
import { isReadable } from '../http/text.ts';
import type { Database } from '../mysql/database.ts';
import { OperatorError } from '../operator-error.ts';
import { runCommand, UsageError, withDatabase } from './command.ts';

const USAGE = `usage: bun run keys create --scope issue,read [--name "shop backend"]   creates a key and shows it once
       bun run keys list                                                  lists the keys, without their secrets
       bun run keys revoke <id>                                           revokes a key; in effect within KEYS_MS_MAX
       bun run keys revoke --all                                          revokes all keys, for example in a copy for staging

Scopes: issue (issue to any user), read (read coupons, and the issues of any user), admin (everything).`;

const BY = commandActor('keys');

await runCommand(USAGE, (args) => withDatabase(readCommand(args)));

function readCommand(args: string[]): (database: Database) => Promise<void> {
  const { values, positionals } = parseArguments(args);
  const [command, id, ...more] = positionals;
  if (command === 'revoke' && id === undefined && values.all) return revokeAll;
  if (values.all) throw new UsageError(`wrong command: ${args.join(' ')}`);
  if (command === 'create' && id === undefined) {
    const granted = readScopes(values.scope);
    const name = values.name ?? granted.join(' and ');
    if (!isReadable(name, 100)) throw new UsageError('--name must be a line of 1 to 100 characters');
    return (database) => create(database, name, granted);
  }
  if (command === 'list' && id === undefined) return list;
  if (command === 'revoke' && id !== undefined && /^[1-9]\d{0,14}$/.test(id) && more.length === 0) {
    return (database) => revoke(database, Number(id));
  }
  throw new UsageError(command === undefined ? 'missing command' : `wrong command: ${args.join(' ')}`);
}

function parseArguments(args: string[]) {
  try {
    const options = {
      scope: { type: 'string', multiple: true },
      name: { type: 'string' },
      all: { type: 'boolean' },
    } as const;
    return parseArgs({ args, options, allowPositionals: true });
  } catch {
    // The message of `parseArgs` spans several sentences.
    throw new UsageError(`wrong option: ${args.join(' ')}`);
  }
}

function readScopes(given: readonly string[] = []): readonly Scope[] {
  const named = given.flatMap((text) => text.split(',')).map((text) => text.trim());
  const wrong = named.filter((name) => !scopes.some((scope) => scope === name));
  if (named.length === 0 || wrong.length > 0) throw new UsageError(`--scope must be of: ${scopes.join(', ')}`);
  return scopes.filter((scope) => named.includes(scope));
}

async function create(database: Database, name: string, granted: readonly Scope[]): Promise<void> {
  const { id, key } = await createKey(database, { name, scopes: granted }, BY);
  console.error(`Key ${id}, ${name}: ${granted.join(', ')}. It is shown this once.`);
  // Alone on standard output, so that it can be piped into a store of secrets.
  console.log(key);
}

async function list(database: Database): Promise<void> {
  for (const { id, name, scopes: granted, dateCreated, dateRevoked } of await listKeys(database)) {
    const state = dateRevoked === null ? 'valid' : `revoked ${dateRevoked.toISOString()}`;
    console.log([id, name, granted.join(','), `made ${dateCreated.toISOString()}`, state].join('\t'));
  }
}

async function revoke(database: Database, id: number): Promise<void> {
  if (!(await revokeKey(database, id, BY))) throw new OperatorError(`there is no valid key ${id}`);
  console.error(`Key ${id} is revoked.`);
}

async function revokeAll(database: Database): Promise<void> {
  console.error(`${await revokeAllKeys(database, BY)} key(s) are revoked.`);
}
