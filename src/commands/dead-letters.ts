// dead-letters.ts -- Entry of `bun run dead-letters`: lists, shows, replays and discards dead letters.

import { commandActor, recordIn } from '../auth/audit-trail.ts';
import { createDeadLetters, type DeadLetters, type DeadLetterView } from '../operations/dead-letters.ts';
import { OperatorError } from '../operator-error.ts';
import { runCommand, UsageError, withStores } from './command.ts';

const USAGE = `usage: bun run dead-letters list                  lists accepted issues that could not be written, with the reason
       bun run dead-letters show ID               shows one with its users
       bun run dead-letters replay ID | --all     puts it back into the stream, to be written again
       bun run dead-letters discard ID            deletes it: its users lose the coupon, its pieces return to the stock`;

const BY = commandActor('dead-letters');

await runCommand(USAGE, async (args) => {
  const run = commandOf(args);
  // MySQL has the audit trail: nobody connects to it to list and to show.
  await withStores(async ({ redisStock, database }) => {
    for await (const line of run(createDeadLetters(redisStock, recordIn(database)))) console.log(line);
  });
});

type Command = (letters: DeadLetters) => AsyncGenerator<string>;

function commandOf([verb, id, ...rest]: readonly string[]): Command {
  if (rest.length > 0) throw new UsageError(`unexpected argument: ${rest.join(' ')}`);
  if (verb === 'list' && id === undefined) return list;
  if (verb === 'replay' && id === '--all') return replayAll;
  if (id === undefined) throw new UsageError(verb === undefined ? 'missing command' : `wrong command: ${verb}`);
  if (verb === 'show') return (letters) => show(letters, id);
  if (verb === 'replay') return (letters) => replayOne(letters, id);
  if (verb === 'discard') return (letters) => discard(letters, id);
  throw new UsageError(`wrong command: ${verb} ${id}`);
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
  if (!letter) throw new OperatorError(`There is no dead letter ${id}.`);
  yield JSON.stringify(letter, null, 2);
}

async function* replayAll(letters: DeadLetters): AsyncGenerator<string> {
  let replayed = 0;
  const unreadable: string[] = [];
  for await (const { id } of letters.list()) {
    if ((await letters.replay(id, BY)) === 'replayed') replayed += 1;
    else unreadable.push(id);
  }
  if (replayed === 0 && unreadable.length === 0) throw new OperatorError('There are no dead letters.');
  yield `Replayed ${replayed}.`;
  if (unreadable.length > 0)
    throw new OperatorError(`Not replayed, because this release cannot read them: ${unreadable.join(', ')}`);
}

async function* replayOne(letters: DeadLetters, id: string): AsyncGenerator<string> {
  const result = await letters.replay(id, BY);
  if (result === 'gone') throw new OperatorError(`There is no dead letter ${id}.`);
  if (result === 'unreadable')
    throw new OperatorError(`This release cannot read dead letter ${id}; it was not changed.`);
  yield `Replayed ${id}; the worker writes it now.`;
}

async function* discard(letters: DeadLetters, id: string): AsyncGenerator<string> {
  if (!(await letters.discard(id, BY))) throw new OperatorError(`There is no dead letter ${id}.`);
  yield `Discarded ${id}.`;
}

function describe({ id, reason, entry, allocation }: DeadLetterView): string {
  const held = entry ?? allocation;
  if (!held) return `${id}  ${reason}  (no entry)`;
  const { couponId, firstSequence, users } = held;
  const accepted = entry ? `accepted ${new Date(entry.acceptedMs).toISOString()}` : 'not readable by this release';
  return `${id}  ${reason}  coupon ${couponId}, sequence ${firstSequence}, ${users.length} user(s), ${accepted}`;
}
