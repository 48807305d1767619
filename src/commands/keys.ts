// keys.ts -- Entry of `bun run keys create | list | revoke`: the API keys of backends and operators. A key is shown once, when it is made.

import { parseArgs } from 'node:util';
import { ConfigFault, readConfig } from '../config/config.ts';
import { type Scope, scopes } from '../auth/api-keys.ts';
import { createKey, listKeys, revokeKey } from '../auth/api-key-store.ts';
import { closeDatabase, type Database, openDatabase } from '../mysql/database.ts';
import { DatabaseUrlFault } from '../mysql/url.ts';
import { reasonOf } from '../runtime/preflight.ts';

const usage = `bun run keys create --scope issue,read [--name "shop backend"]   makes a key and shows it, once
bun run keys list                                                  every key, without the keys themselves
bun run keys revoke <id>                                           ends a key, everywhere within KEYS_MS_MAX

Scopes: issue (for any user), read (coupons, and issues of any user), admin (everything).`;

/** The command was called in a way it does not know. */
class UsageFault extends Error {
  override readonly name = 'UsageFault';
}

try {
  const run = readCommand(process.argv.slice(2));
  const config = readConfig([
    'DATABASE_URL',
    'MYSQL_CONNECTIONS_MAX',
    'MYSQL_QUEUE_MAX',
    'MYSQL_CONNECT_MS_MAX',
    'TRANSACTION_MS_MAX',
  ]);
  const database = openDatabase(config);
  try {
    await run(database);
  } finally {
    await closeDatabase(database);
  }
} catch (error) {
  console.error(wordsOf(error));
  process.exit(1);
}

function readCommand(args: string[]): (database: Database) => Promise<void> {
  const { values, positionals } = parseArguments(args);
  const [command, id, ...more] = positionals;
  if (command === 'create' && id === undefined) {
    const granted = readScopes(values.scope);
    const name = values.name ?? granted.join(' and ');
    if (name.length > 100) throw new UsageFault('--name is longer than 100 characters');
    return (database) => create(database, name, granted);
  }
  if (command === 'list' && id === undefined) return list;
  if (command === 'revoke' && id !== undefined && /^[1-9]\d{0,14}$/.test(id) && more.length === 0) {
    return (database) => revoke(database, Number(id));
  }
  throw new UsageFault(usage);
}

function parseArguments(args: string[]) {
  try {
    const options = { scope: { type: 'string', multiple: true }, name: { type: 'string' } } as const;
    return parseArgs({ args, options, allowPositionals: true });
  } catch {
    // Its message names an option that is not there; all there are stand here.
    throw new UsageFault(usage);
  }
}

function readScopes(given: readonly string[] = []): readonly Scope[] {
  const named = given.flatMap((text) => text.split(',')).map((text) => text.trim());
  const wrong = named.filter((name) => !scopes.some((scope) => scope === name));
  if (named.length === 0 || wrong.length > 0) throw new UsageFault(`--scope must be of: ${scopes.join(', ')}`);
  return scopes.filter((scope) => named.includes(scope));
}

async function create(database: Database, name: string, granted: readonly Scope[]): Promise<void> {
  const { id, key } = await createKey(database, { name, scopes: granted });
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
  if (!(await revokeKey(database, id))) throw new UsageFault(`there is no valid key ${id}`);
  console.error(`Key ${id} is revoked.`);
}

function wordsOf(error: unknown): string {
  const isKnown = error instanceof UsageFault || error instanceof ConfigFault || error instanceof DatabaseUrlFault;
  if (isKnown) return error.message;
  return `DATABASE_URL: MySQL cannot be used (${reasonOf(error)}); start it, correct the address, or run \`bun run migrate\``;
}
