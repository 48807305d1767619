// replicas.test.ts -- A primary of Redis that is killed while its replicas lag: what was answered is waited for, put back, or counted as lost.

import { afterAll, describe, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { join } from 'node:path';
import { tempFolder } from '../../tools/leftovers.ts';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { issuingConnection, serverOf } from '../../src/redis/connection.ts';
import { preflight } from '../../src/runtime/preflight.ts';
import { createReadiness } from '../../src/runtime/readiness.ts';
import { eventually } from '../eventually.ts';
import { processesKey } from '../../src/stream/keys.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { openTcpProxy } from '../tcp-proxy.ts';
import { type ReplicatedRedis, startReplicatedRedis } from '../replicated-redis.ts';
import { openStores, type Settings, type Stores, type TestApi } from '../stores.ts';

const folder = tempFolder('coupon-replicas-');
afterAll(() => rmSync(folder, { recursive: true }));

interface Here {
  readonly redis: ReplicatedRedis;
  readonly stores: Stores;
  createApi(settings?: Settings): Promise<TestApi>;
  /** Until the replicas have what was written before. */
  inStep(): Promise<void>;
  /** The same, and no replica gets anything any more. */
  cutAll(): Promise<void>;
  /** After it, the address leads to what a replica has, and the APIs know. */
  failOver(...apis: readonly TestApi[]): Promise<void>;
}

/** Servers of its own for each test, since it ends them. */
async function replicated(work: (here: Here) => Promise<void>, replicas = 1): Promise<void> {
  await using redis = await startReplicatedRedis(join(folder, crypto.randomUUID()), { replicas });
  const stores = await openStores({ redisUrl: redis.address.url, settings: { REDIS_COMMAND_MS_MAX: 500 } });
  const inStep = async () => {
    await stores.redis.set('the last', 1);
    await eventually('the replicas to be in step', async () => (await stores.redis.wait(replicas, 100)) === replicas);
  };
  try {
    await work({
      redis,
      stores,
      createApi: (settings = {}) => stores.createApi({ OPENING_LEASE_MS: 4000, ...settings }),
      inStep,
      async cutAll() {
        await inStep();
        redis.cutLinks();
      },
      async failOver(...apis) {
        const before = apis.map((api) => serverOf(api.redis));
        await redis.failOver();
        await eventually('the new primary to be known', () =>
          apis.every((api, i) => !['', before[i]].includes(serverOf(api.redis))),
        );
      },
    });
  } finally {
    await stores.close();
  }
}

const winners = (count: number, from = 1): Outcome[] =>
  Array.from({ length: count }, (_, i) => ({ kind: 'issued', sequence: from + i }));
const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
const UNCONFIRMED = /replicas of Redis have what it decided/;

describe('with REPLICAS_MIN', () => {
  test('nothing is answered that no replica has, also not what was issued before, by any endpoint', async () => {
    await replicated(async ({ stores, createApi, cutAll, failOver }) => {
      await using api = await createApi({ REPLICAS_MIN: 1, OFFERING: 'off' });
      await using careless = await createApi({ OFFERING: 'off' });
      const { id } = await stores.coupon();
      expect(await api.issuers.scripted.issue(id, ['a'])).toEqual(winners(1));
      expect(await api.issuers.locked.issue(id, ['b'])).toEqual(winners(1, 2));
      await cutAll();
      // Another process does not wait: what it was given is on the primary alone.
      expect(await careless.issuers.scripted.issue(id, ['c'])).toEqual(winners(1, 3));
      const asked = issuerNames.flatMap((name) =>
        ['c', `d-${name}`].map((user) => api.issuers[name].issue(id, [user]).then(String, String)),
      );
      for (const answer of [...(await Promise.all(asked)), await api.issues.statusOf(id, 'c').then(String, String)])
        expect(answer).toMatch(UNCONFIRMED);
      await failOver(api, careless);
      const seen = await careless.issuers.scripted.issue(id, ['a', 'b', 'x']);
      expect(seen).toEqual([
        { kind: 'already issued', sequence: 1 },
        { kind: 'already issued', sequence: 2 },
        { kind: 'issued', sequence: 3 },
      ]);
    });
  }, 60_000);

  test('a worker writes no row of an entry that no replica has', async () => {
    await replicated(async ({ stores, createApi, cutAll, failOver }) => {
      await using careless = await createApi({ OFFERING: 'off' });
      const { id } = await stores.coupon();
      expect(await careless.issuers.scripted.issue(id, ['a'])).toEqual(winners(1));
      await using worker = await stores.startWorker({ REPLICAS_MIN: 1 });
      await eventually('the first row', async () => (await stores.rows(id)).length === 1);
      await cutAll();
      expect(await careless.issuers.scripted.issue(id, ['b'])).toEqual(winners(1, 2));
      await eventually('the worker to have waited in vain', () =>
        worker.retried.some((failure) => UNCONFIRMED.test(String(failure))),
      );
      expect(await stores.rows(id)).toHaveLength(1);
      await failOver(careless);
      expect(await careless.issuers.scripted.issue(id, ['c'])).toEqual(winners(1, 2));
    });
  }, 60_000);

  test('one replica that is gone holds up nobody while another has everything', async () => {
    await replicated(async ({ redis, stores, createApi }) => {
      await using api = await createApi({ REPLICAS_MIN: 1, REDIS_COMMAND_MS_MAX: 5000 });
      redis.members[1]?.link.cut();
      const ids = [];
      for (let i = 0; i < 8; i += 1) ids.push((await stores.coupon()).id);
      const all = ids.map((id) => api.issuers.scripted.issue(id, names('u', 5)));
      for (const outcomes of await Promise.all(all)) expect(outcomes).toEqual(winners(5));
    }, 2);
  }, 60_000);

  test('batches that wait share a WAIT, and others are decided meanwhile', async () => {
    await replicated(async ({ redis, stores, createApi }) => {
      await using api = await createApi({ REPLICAS_MIN: 1, REDIS_COMMAND_MS_MAX: 5000 });
      const { id } = await stores.coupon({ totalQuantity: null });
      await api.issuers.scripted.issue(id, ['first']);
      // It acknowledges nothing while it stands still.
      await redis.members[1]?.server.kill('SIGSTOP');
      try {
        let answered = 0;
        const waiting = names('u', 40).map(async (name) => {
          const outcomes = await api.issuers.scripted.issue(id, [name]);
          answered += 1;
          return outcomes;
        });
        await eventually('all to be decided', async () => (await api.redisStock.countOwners(id)) === 41);
        // One that waits for nothing is never seen to wait.
        await eventually('a WAIT that waits', async () =>
          /flags=\S*b\S* .*cmd=wait\b/.test(String(await api.redis.client('LIST'))),
        );
        expect(answered).toBe(0);
        await redis.members[1]?.server.kill('SIGCONT');
        expect((await Promise.all(waiting)).flat()).toEqual(winners(40, 2));
        const waits = /^cmdstat_wait:calls=(\d+)/m.exec(await api.redis.info('commandstats'))?.[1];
        expect(Number(waits)).toBeLessThan(20);
      } finally {
        await redis.members[1]?.server.kill('SIGCONT');
      }
    });
  }, 60_000);
});

describe('offering', () => {
  test('what a promoted replica lacks is put back by all processes that remember it, before others get it', async () => {
    await replicated(async ({ stores, createApi, cutAll, failOver }) => {
      await using first = await createApi();
      await using second = await createApi();
      const { id } = await stores.coupon({ totalQuantity: 30 });
      expect(await first.issuers.scripted.issue(id, ['a'])).toEqual(winners(1));
      for (const api of [first, second]) await api.offerAndCompare();
      await cutAll();
      expect(await first.issuers.scripted.issue(id, names('b', 5))).toEqual(winners(5, 2));
      expect(await second.issuers.locked.issue(id, names('c', 5))).toEqual(winners(5, 7));
      expect(await first.issuers.scripted.issue(id, ['c1'])).toEqual([{ kind: 'already issued', sequence: 7 }]);
      const cutMs = Date.now();
      await failOver(first, second);
      // The opening of one process waits for the other, which looks when its time comes.
      const asked = first.issuers.scripted.issue(id, ['x']);
      const patience = pause(500).then(() => 'waits');
      expect(await Promise.race([asked, patience])).toBe('waits');
      await second.offerAndCompare();
      expect(await asked).toEqual(winners(1, 12));
      expect(await second.issuers.locked.issue(id, ['b5', 'c5'])).toEqual([
        { kind: 'already issued', sequence: 6 },
        { kind: 'already issued', sequence: 11 },
      ]);
      await first.offerAndCompare();
      await using worker = await stores.startWorker();
      await worker.drained();
      const rows = await stores.rows(id);
      // Those that were put back, too: at the time at which they were accepted.
      expect(Math.max(...rows.slice(0, 11).map(({ issuedMs }) => issuedMs))).toBeLessThanOrEqual(cutMs);
      const users = rows.map(({ userId }) => userId);
      expect(users).toEqual(['a', ...names('b', 5), ...names('c', 5), 'x']);
      expect(await first.audit(id)).toMatchObject({ missing: 0, unknown: 0, unexpected: 0, lost: 0 });
    });
  }, 60_000);

  test('a worker offers what it has in hand', async () => {
    await replicated(async ({ stores, createApi, cutAll, failOver }) => {
      await using mysql = await openTcpProxy(stores.config.DATABASE_URL);
      const dying = await createApi();
      await using fresh = await createApi();
      const { id } = await stores.coupon();
      await using worker = await stores.startWorker({ DATABASE_URL: mysql.url });
      expect(await dying.issuers.scripted.issue(id, ['a'])).toEqual(winners(1));
      await worker.drained();
      await cutAll();
      mysql.cut();
      expect(await dying.issuers.scripted.issue(id, ['b'])).toEqual(winners(1, 2));
      await dying.close();
      await eventually('the worker to have it in hand', () => worker.retried.length > 0);
      await failOver(fresh);
      expect(await fresh.issuers.scripted.issue(id, ['x'])).toEqual(winners(1, 3));
      mysql.restore();
      await eventually('all rows', async () => (await stores.rows(id)).length === 3);
      expect((await stores.rows(id)).map(({ userId }) => userId)).toEqual(['a', 'b', 'x']);
    });
  }, 60_000);

  test('what is offered too late is put back where its sequence is still free', async () => {
    await replicated(async ({ stores, createApi, cutAll, failOver }) => {
      await using first = await createApi();
      await using late = await createApi();
      const { id } = await stores.coupon();
      expect(await first.issuers.scripted.issue(id, ['a'])).toEqual(winners(1));
      await cutAll();
      expect(await late.issuers.scripted.issue(id, ['b'])).toEqual(winners(1, 2));
      await failOver(first, late);
      // Nobody knows of the other process, which has noted nothing yet.
      expect(await first.issuers.scripted.issue(id, ['a'])).toEqual([{ kind: 'already issued', sequence: 1 }]);
      await late.offerAndCompare();
      expect(await first.issuers.scripted.issue(id, ['b', 'x'])).toEqual([
        { kind: 'already issued', sequence: 2 },
        { kind: 'issued', sequence: 3 },
      ]);
      expect(await late.audit(id)).toMatchObject({ lost: 0 });
    });
  }, 60_000);

  test('what an operator discarded is not put back, and the user who got its sequence since keeps it', async () => {
    await replicated(async ({ stores, createApi, cutAll, failOver }) => {
      await using api = await createApi();
      const issue = (id: number, ...users: string[]) => api.issuers.scripted.issue(id, users);
      const ids = [await stores.coupon({ totalQuantity: 3 }), await stores.coupon({ totalQuantity: 3 })].map(
        ({ id }) => id,
      );
      for (const id of ids) {
        expect(await issue(id, 'a')).toEqual(winners(1));
        expect(await issue(id, 'b')).toEqual(winners(1, 2));
        const keys = stores.keys(id);
        const [[entryId, fields] = ['', []]] = await stores.redis.xrevrange(keys.stream, '+', '-');
        const deadLetters = [{ entryId, reason: 'a test', fields }];
        await settle(stores.redis, { keys, entries: [{ id: entryId, users: 1 }], deadLetters });
      }
      for await (const { id } of api.deadLetters.list()) expect(await api.deadLetters.discard(id)).toBe(true);
      await cutAll();
      const [given = 0, free = 0] = ids;
      expect(await issue(given, 'c')).toEqual(winners(1, 2));
      await failOver(api);
      expect(await issue(given, 'b', 'c', 'd')).toEqual([
        { kind: 'issued', sequence: 3 },
        { kind: 'already issued', sequence: 2 },
        { kind: 'sold out' },
      ]);
      expect(await issue(free, 'x')).toEqual(winners(1, 2));
      await api.offerAndCompare();
      for (const id of ids)
        expect(await api.audit(id)).toMatchObject({ lost: 0, missing: 0, unknown: 0, unexpected: 0 });
    });
  }, 60_000);

  test('a process that comes removes the names of those that are gone, and all names go with the last', async () => {
    await replicated(async ({ stores, createApi }) => {
      const keys = processesKey(stores.keys(1));
      const nowMs = Date.now();
      await stores.redis.hset(keys, 'gone', `${nowMs - 60_000} a.b`, 'living', `${nowMs} a.b`);
      await using api = await createApi();
      await api.offerAndCompare();
      for (const partition of api.redisStock.partitions)
        expect(await stores.redis.pttl(processesKey(partition))).toBeWithin(1, 10_001);
      expect((await stores.redis.hkeys(keys)).filter((name) => !/^[0-9a-f-]{36}$/.test(name))).toEqual(['living']);
      expect(await stores.redis.hlen(keys)).toBe(2);
      await api.close();
      expect(await stores.redis.hkeys(keys)).toEqual(['living']);
    });
  }, 60_000);

  test('an opening does not wait for long for a process that is gone', async () => {
    await replicated(async ({ stores, createApi, inStep, failOver }) => {
      await using first = await createApi();
      await using gone = await createApi();
      const { id } = await stores.coupon();
      expect(await first.issuers.scripted.issue(id, ['a'])).toEqual(winners(1));
      await gone.offerAndCompare();
      await inStep();
      await failOver(first);
      const startMs = performance.now();
      expect(await first.issuers.scripted.issue(id, ['b'])).toEqual(winners(1, 2));
      expect(performance.now() - startMs).toBeWithin(1500, 8000);
    });
  }, 60_000);
});

test('without either, an audit says how many answers were lost, and the stock is exact all the same', async () => {
  await replicated(async ({ stores, createApi, cutAll, failOver }) => {
    await using first = await createApi({ OFFERING: 'off' });
    await using other = await createApi({ OFFERING: 'off' });
    const { id } = await stores.coupon({ totalQuantity: 10 });
    expect(await first.issuers.scripted.issue(id, ['a'])).toEqual(winners(1));
    await cutAll();
    expect(await first.issuers.scripted.issue(id, names('b', 4))).toEqual(winners(4, 2));
    expect(await first.issuers.locked.issue(id, ['b5'])).toEqual(winners(1, 6));
    // An answer too, though another process issued it.
    expect(await other.issuers.scripted.issue(id, ['k'])).toEqual(winners(1, 7));
    expect(await first.issuers.synchronous.issue(id, ['k'])).toEqual([{ kind: 'already issued', sequence: 7 }]);
    await failOver(first, other);
    // One of them asks again, and others get the same numbers.
    expect(await other.issuers.scripted.issue(id, ['b1', 'x', 'y'])).toEqual(winners(3, 2));
    await first.offerAndCompare();
    // b1 has the number that it was answered.
    expect(first.metrics.failoverIssues.of('lost').total()).toBe(5);
    expect(await other.audit(id)).toMatchObject({ lost: 5, missing: 0, unknown: 0, unexpected: 0 });
    // Counted once.
    await first.offerAndCompare();
    expect(await other.audit(id)).toMatchObject({ lost: 5 });
    const rest = await other.issuers.scripted.issue(id, names('z', 7));
    expect(rest.filter(({ kind }) => kind === 'issued')).toEqual(winners(6, 5));
  });
}, 60_000);

test('a start on a replicated Redis asks for min-replicas-to-write, and for the right to wait', async () => {
  await replicated(async ({ redis, stores }) => {
    const start = async (replicasMin: number, url = redis.address.url) => {
      const said: string[] = [];
      const connection = issuingConnection({ ...stores.config, REDIS_URL: url }, () => undefined);
      const settings = { ALLOW_VOLATILE_REDIS: 'off', START_WAIT_S: 0, REPLICAS_MIN: replicasMin } as const;
      const say = (line: string) => said.push(line);
      const { database } = stores;
      try {
        await preflight({ database, connections: [connection], settings, say, testRedis: () => Promise.resolve([]) });
        return { said, refused: '' };
      } catch (error) {
        return { said, refused: String(error) };
      } finally {
        connection.disconnect();
      }
    };
    const warned = await start(0);
    expect(warned.said.join()).toInclude('`min-replicas-to-write`');
    expect(warned.refused).toBe('');
    expect((await start(1)).refused).toInclude('`min-replicas-to-write`');
    await stores.redis.config('SET', 'min-replicas-to-write', '1');
    for (const replicasMin of [0, 1]) expect(await start(replicasMin)).toEqual({ said: [], refused: '' });
    await stores.redis.call('ACL', 'SETUSER', 'waiter', 'on', '>secret', '~*', '&*', '+@all', '-wait');
    const url = new URL(redis.address.url);
    Object.assign(url, { username: 'waiter', password: 'secret' });
    expect((await start(1, url.href)).refused).toInclude('+wait');
    expect((await start(0, url.href)).refused).toBe('');
  });
}, 60_000);

test('an API is not ready while fewer replicas are there than it waits for', async () => {
  await replicated(async ({ stores, createApi, cutAll }) => {
    await using api = await createApi();
    const readyWith = async (replicasMin: number) => {
      const settings = { ALLOW_VOLATILE_REDIS: 'off', REPLICAS_MIN: replicasMin } as const;
      return (await createReadiness({ redis: api.redis, database: stores.database, settings }).check()).ready;
    };
    expect(await readyWith(1)).toBe(true);
    await cutAll();
    await eventually('the replica to be missed', async () => !(await readyWith(1)));
    expect(await readyWith(0)).toBe(true);
  });
}, 60_000);
