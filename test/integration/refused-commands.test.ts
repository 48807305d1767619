// refused-commands.test.ts -- A script does all or nothing: whichever of its commands Redis refuses, everything is as it was.
//
// Rights are what can be taken away from any command of a running system; each is taken away in turn, from a user of Redis.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { look, put, take } from '../../src/stock/decision-scripts.ts';
import { writeEntry } from '../../src/stream/entry.ts';
import { GROUP } from '../../src/stream/keys.ts';
import { eraseOwner } from '../../src/stock/edit-scripts.ts';
import { discard, replaceLetter, replay } from '../../src/stream/scripts/letters.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { connect, issuingConnection, primariesOf, serverOf } from '../../src/redis/connection.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

let stores: Stores;
let api: TestApi;

beforeAll(async () => {
  stores = await openStores();
  api = await stores.createApi();
});
afterAll(async () => {
  await stores?.close();
});

/** What a script is to do to a coupon that is open, with one entry in the stream and one dead letter. */
type Run = (redis: Redis, couponId: number) => Promise<unknown>;

const letterOf = async (couponId: number): Promise<string> => {
  const [[id] = ['']] = await stores.redis.xrange(stores.keys(couponId).dead, '-', '+');
  return id;
};
const fieldsOf = (couponId: number) =>
  writeEntry({ couponId, epoch: 1, firstSequence: 2, acceptedMs: 0, users: ['buried'] });

interface Script {
  readonly source: string;
  readonly run: Run;
  /** Where it does not call all commands of the file that it includes. */
  readonly calls?: readonly string[];
}

const runs: Readonly<Record<string, Script>> = {
  take: {
    source: '../../src/stock/scripts/take.lua',
    run: (redis, couponId) => {
      const server = serverOf(api.redis, stores.keys(couponId).state);
      return take(redis, {
        keys: stores.keys(couponId),
        server,
        couponId,
        unpersistedUsersMax: 1000,
        users: ['x', 'y'],
        endpoint: 'POST /v1/issue',
      });
    },
  },
  put: {
    source: '../../src/stock/scripts/put.lua',
    run: async (redis, couponId) => {
      const keys = stores.keys(couponId);
      const server = serverOf(api.redis, stores.keys(couponId).state);
      await stores.redis.set(keys.lock, 'token');
      const seen = await look(stores.redis, { keys, server, users: [] });
      if (seen.kind !== 'open') throw new Error('the coupon is not open');
      const { epoch, version } = seen;
      const read = { epoch, version, next: seen.stock.next, taken: ['x', 'y'], endpoint: 'POST /v1/issue' } as const;
      return put(redis, { keys, server, couponId, token: 'token', unpersistedUsersMax: 1000, ...read });
    },
  },
  settle: {
    source: '../../src/stream/scripts/settle.lua',
    run: async (redis, couponId) => {
      const keys = stores.keys(couponId);
      const [[id] = ['']] = await stores.redis.xrange(keys.stream, '-', '+');
      const letter = { entryId: id, reason: 'bad data', fields: fieldsOf(couponId).map(String) };
      return settle(redis, { keys, entries: [{ id, users: 1 }], deadLetters: [letter] });
    },
  },
  replay: {
    source: '../../src/stream/scripts/replay.lua',
    run: async (redis, couponId) => {
      const fields = fieldsOf(couponId).map(String);
      return replay(redis, { keys: stores.keys(couponId), id: await letterOf(couponId), users: 1, fields });
    },
  },
  discard: {
    source: '../../src/stream/scripts/discard.lua',
    run: async (redis, couponId) => {
      const owners = [{ userId: 'buried', sequence: 2 }];
      return discard(redis, { keys: stores.keys(couponId), id: await letterOf(couponId), owners });
    },
  },
  'replace-letter': {
    source: '../../src/stream/scripts/replace-letter.lua',
    run: async (redis, couponId) => {
      const fields = ['entry', '1-0', ...fieldsOf(couponId).map(String)];
      return replaceLetter(redis, { keys: stores.keys(couponId), id: await letterOf(couponId), fields });
    },
  },
  'erase-owner': {
    source: '../../src/stock/scripts/erase-owner.lua',
    calls: ['HDEL', 'HGET', 'HSET'],
    run: (redis, couponId) =>
      eraseOwner(redis, {
        keys: stores.keys(couponId),
        userId: 'a',
        pseudonym: 'erased-a',
        erasureKey: 'key',
        offered: ['a 1'],
      }),
  },
};

/** Every command of a script, those of what it includes too. */
function commandsIn(source: string, base = import.meta.url): readonly string[] {
  const file = new URL(source, base);
  const text = readFileSync(file, 'utf8');
  const own = [...text.matchAll(/redis\.p?call\('([A-Z]+)'/g)].map((match) => match[1] ?? '');
  const included = [...text.matchAll(/^--- include (\S+)$/gm)].flatMap((match) =>
    commandsIn(match[1] ?? '', file.href),
  );
  return [...new Set([...own, ...included])];
}

/** Opens a coupon of which one is accepted, another among the dead letters, and a worker has read both. */
async function prepared(): Promise<number> {
  const { id } = await stores.coupon();
  const { stream, dead } = stores.keys(id);
  await stores.redis.del(stream, dead);
  await stores.redis.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
  await api.issuers.scripted.issue(id, ['a']);
  await api.issuers.scripted.issue(id, ['b']);
  await stores.redis.xreadgroup('GROUP', GROUP, 'w', 'STREAMS', stream, '>');
  await stores.redis.xadd(dead, '*', 'entry', '1-0', 'reason', 'bad data', ...fieldsOf(id).map(String));
  return id;
}

/** Whatever Redis holds of a coupon and its partition. */
async function everythingOf(couponId: number, but: readonly string[] = []): Promise<Readonly<Record<string, string>>> {
  const { lock: _, ...keys } = stores.keys(couponId);
  const all: Record<string, string> = {};
  for (const [name, key] of Object.entries(keys)) {
    if (!but.includes(name)) all[name] = (await stores.redis.dumpBuffer(key))?.toString('hex') ?? 'nothing';
  }
  return all;
}

/** Runs `use` as a user without the right to one command. */
async function without<Result>(command: string, use: (redis: Redis) => Promise<Result>): Promise<Result> {
  const username = `no-${command.toLowerCase()}-${crypto.randomUUID().slice(0, 8)}`;
  const rights = ['on', '>secret', '~*', '&*', '+@all', `-${command.toLowerCase()}`];
  const nodes = primariesOf(stores.redis);
  for (const node of nodes) await node.acl('SETUSER', username, ...rights);
  const REDIS_URL = stores.config.REDIS_URL.replace('://', `://${username}:secret@`);
  const limited = issuingConnection({ ...stores.config, REDIS_URL }, () => undefined);
  try {
    await connect(limited);
    return await use(limited);
  } finally {
    limited.disconnect();
    for (const node of nodes) await node.acl('DELUSER', username);
  }
}

describe.each(Object.entries(runs))('%s', (name, { source, run, calls = commandsIn(source) }) => {
  test.each(calls)(
    `a script that is refused one of its commands leaves everything as it was: ${name} without %s`,
    async (command) => {
      const couponId = await prepared();
      // The state may go: it is rebuilt from what is true, the letter included. A mark of a letter that stays harms nobody.
      const but = { discard: ['withdrawn', 'state', 'opening', 'owners'], replay: ['withdrawn'] }[name] ?? [];
      const before = await everythingOf(couponId, but);
      const refused = await without(command, (redis) => run(redis, couponId)).catch((error: unknown) => error);
      expect(String(refused)).toMatch(/user executing the script can't run|no permissions/i);
      expect(await everythingOf(couponId, but)).toEqual(before);
      // With its rights, it does what it is for.
      await run(stores.redis, couponId);
      expect(await everythingOf(couponId, but)).not.toEqual(before);
    },
  );
});
