// dead-letters.ts -- Entry of `bun run dead-letters`: lists, shows, replays and discards dead letters. What it cannot do, it says in a line and
// changes nothing.

import { ConfigFault, readConfig } from '../config/config.ts';
import { createDeadLetters, type DeadLetters, type DeadLetterView } from '../operations/dead-letters.ts';
import { reasonOf } from '../runtime/preflight.ts';
import { connect, issuingConnection } from '../redis/connection.ts';
import { createRedisStock } from '../stock/redis-stock.ts';

const USAGE = `usage: bun run dead-letters list
       bun run dead-letters show ID
       bun run dead-letters replay ID | --all
       bun run dead-letters discard ID`;

/** A wrong call, or nothing to do it to. */
class Refused extends Error {
  override readonly name = 'Refused';
}

/** Why there is no connection is told by an event; what is thrown then names no cause. */
let fault: unknown;

try {
  const config = readConfig([
    'REDIS_URL',
    'PARTITIONS',
    'UNPERSISTED_USERS_MAX',
    'REDIS_COMMAND_MS_MAX',
    'REDIS_CONNECT_MS_MAX',
  ]);
  // A connection that fails is said once, by the command that needed it.
  const redis = issuingConnection(config, (error) => {
    fault ??= error;
  });
  const run = commandOf(process.argv.slice(2));
  try {
    await connect(redis);
    for await (const line of run(createDeadLetters(createRedisStock(redis, config)))) console.log(line);
  } finally {
    redis.disconnect();
  }
} catch (error) {
  const known = error instanceof ConfigFault || error instanceof Refused;
  console.error(
    known
      ? error.message
      : `REDIS_URL: the dead letters cannot be reached (${reasonOf(fault ?? error)}); start Redis, or correct address, user and password`,
  );
  process.exit(1);
}

type Command = (letters: DeadLetters) => AsyncGenerator<string>;

function commandOf([verb, id, ...rest]: readonly string[]): Command {
  if (rest.length > 0) throw new Refused(USAGE);
  if (verb === 'list' && id === undefined) return list;
  if (verb === 'replay' && id === '--all') return replayAll;
  if (id === undefined) throw new Refused(USAGE);
  if (verb === 'show') return (letters) => show(letters, id);
  if (verb === 'replay') return (letters) => replayOne(letters, id);
  if (verb === 'discard') return (letters) => discard(letters, id);
  throw new Refused(USAGE);
}

async function* list(letters: DeadLetters): AsyncGenerator<string> {
  let count = 0;
  for await (const letter of letters.list()) {
    count += 1;
    yield describe(letter);
  }
  yield count === 0 ? 'There are no dead letters.' : `${count} dead letter(s).`;
}

async function* show(letters: DeadLetters, id: string): AsyncGenerator<string> {
  const letter = await letters.read(id);
  if (!letter) throw new Refused(`There is no dead letter ${id}.`);
  yield JSON.stringify(letter, null, 2);
}

async function* replayAll(letters: DeadLetters): AsyncGenerator<string> {
  let replayed = 0;
  const unreadable: string[] = [];
  for await (const { id } of letters.list()) {
    if ((await letters.replay(id)) === 'replayed') replayed += 1;
    else unreadable.push(id);
  }
  if (replayed === 0 && unreadable.length === 0) throw new Refused('There are no dead letters.');
  yield `Replayed ${replayed}.`;
  if (unreadable.length > 0) throw new Refused(`Left as they are, since they are no entries: ${unreadable.join(', ')}`);
}

async function* replayOne(letters: DeadLetters, id: string): AsyncGenerator<string> {
  const result = await letters.replay(id);
  if (result === 'gone') throw new Refused(`There is no dead letter ${id}.`);
  if (result === 'unreadable')
    throw new Refused(`Dead letter ${id} is no entry and cannot be replayed; it is left as it is.`);
  yield `Replayed ${id}; the worker writes it now.`;
}

async function* discard(letters: DeadLetters, id: string): AsyncGenerator<string> {
  if (!(await letters.discard(id))) throw new Refused(`There is no dead letter ${id}.`);
  yield `Discarded ${id}.`;
}

function describe({ id, reason, entry }: DeadLetterView): string {
  if (!entry) return `${id}  ${reason}  (no entry)`;
  const { couponId, firstSequence, users, acceptedMs } = entry;
  return `${id}  ${reason}  coupon ${couponId}, sequence ${firstSequence}, ${users.length} user(s), accepted ${new Date(acceptedMs).toISOString()}`;
}
