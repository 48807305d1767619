// locked.test.ts -- The lock saves work, the fence keeps the promises: whatever happens between the read and the write.

import { afterAll, expect, test } from 'bun:test';
import type { Redis } from 'ioredis';
import type { Outcome } from '../../src/coupon/outcome.ts';
import { look, put, take } from '../../src/stock/decision-scripts.ts';
import { serverOf } from '../../src/redis/connection.ts';
import { eventually } from '../eventually.ts';
import { issueInProcesses } from '../issue-in-processes.ts';
import { brokenPromises, type Answer } from '../promises.ts';
import { openStores, type Settings } from '../stores.ts';

const stores = await openStores();
/** Issues beside the API under test, as another process would. */
const other = await stores.createApi();
afterAll(() => stores.close());

const people = (count: number, prefix: string) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const issued = (sequence: number): Outcome => ({ kind: 'issued', sequence });
const already = (sequence: number): Outcome => ({ kind: 'already issued', sequence });

/** Runs `meddle` before each fenced write; returns how many writes and decisions of the script were sent. */
function meddleBeforeWrite(redis: Redis, meddle: (nth: number) => Promise<unknown>) {
  const sent = { puts: 0, takes: 0 };
  const evalsha = redis.evalsha.bind(redis);
  redis.evalsha = async (...args: [string | Buffer, ...unknown[]]) => {
    if (args[0] === put.digest) await meddle(++sent.puts);
    if (args[0] === take.digest) sent.takes += 1;
    return Reflect.apply(evalsha, redis, args) as Promise<unknown>;
  };
  return sent;
}

async function drain(): Promise<void> {
  await using worker = await stores.startWorker();
  await worker.drained();
}

/** An API whose writes are meddled with, and a coupon that is open and issued to `first`. */
async function prepare(meddle: (couponId: number, nth: number) => Promise<unknown>, settings: Settings = {}) {
  const api = await stores.createApi(settings);
  const { id } = await stores.coupon({ totalQuantity: 5 });
  await api.issuers.scripted.issue(id, ['first']);
  const sent = meddleBeforeWrite(api.redis, (nth) => meddle(id, nth));
  return { api, id, sent };
}

/** Only before the first write. */
const once = (meddle: (couponId: number) => Promise<unknown>) => (couponId: number, nth: number) =>
  nth === 1 ? meddle(couponId) : Promise.resolve();

test('with no other decision in between, one read and one write decide', async () => {
  const { api, id, sent } = await prepare(() => Promise.resolve());
  expect(await api.issuers.locked.issue(id, ['a', 'first', 'b'])).toEqual([issued(2), already(1), issued(3)]);
  expect(sent).toEqual({ puts: 1, takes: 0 });
});

test('the read is pipelined behind the lock request, so that both take one round trip', async () => {
  const { api, id } = await prepare(() => Promise.resolve());
  const sent: string[] = [];
  const send = api.redis.sendCommand.bind(api.redis);
  api.redis.sendCommand = (command, ...rest) => {
    const reply = send(command, ...rest) as Promise<unknown>;
    const name = command.args[0] === look.digest ? 'look' : command.args[0] === put.digest ? 'put' : command.name;
    sent.push(`${name} sent`);
    reply.then(() => sent.push(`${name} answered`)).catch(() => {});
    return reply;
  };
  expect(await api.issuers.locked.issue(id, ['a'])).toEqual([issued(2)]);
  expect(sent.slice(0, 5)).toEqual(['set sent', 'look sent', 'set answered', 'look answered', 'put sent']);
});

test('after waiting for the lock the state is read again', async () => {
  const { api, id, sent } = await prepare(() => Promise.resolve());
  const { lock } = stores.keys(id);
  await stores.redis.set(lock, 'another', 'PX', 60_000);
  const issuing = api.issuers.locked.issue(id, ['a']);
  await other.issuers.scripted.issue(id, ['faster']);
  await stores.redis.del(lock);
  expect(await issuing).toEqual([issued(3)]);
  expect(sent).toEqual({ puts: 1, takes: 0 });
});

test('when another issuer was faster, it decides again from what is then true', async () => {
  const { api, id, sent } = await prepare(once((couponId) => other.issuers.scripted.issue(couponId, ['b', 'x', 'y'])));
  expect(await api.issuers.locked.issue(id, ['a', 'b', 'c'])).toEqual([issued(5), already(2), { kind: 'sold out' }]);
  expect(sent).toEqual({ puts: 2, takes: 0 });
});

test('when the coupon was reopened, it decides again under the new epoch', async () => {
  const { api, id, sent } = await prepare(
    once(async (couponId) => {
      await stores.redis.del(stores.keys(couponId).state);
      await other.stock.open(couponId);
    }),
  );
  expect(await api.issuers.locked.issue(id, ['a'])).toEqual([issued(2)]);
  expect(sent).toEqual({ puts: 2, takes: 0 });
  expect(await stores.redis.hget(stores.keys(id).state, 'epoch')).toBe('2');
});

test('when the state was lost, it opens the coupon and decides again', async () => {
  const { api, id, sent } = await prepare(once((couponId) => stores.redis.del(stores.keys(couponId).state)));
  expect(await api.issuers.locked.issue(id, ['a', 'first'])).toEqual([issued(2), already(1)]);
  expect(sent).toEqual({ puts: 2, takes: 0 });
});

test('when the coupon was edited, it decides again by the new version', async () => {
  const { api, id } = await prepare(
    once((couponId) => stores.redis.hset(stores.keys(couponId).state, 'version', 2, 'paused', 1)),
  );
  expect(await api.issuers.locked.issue(id, ['a'])).toEqual([{ kind: 'paused' }]);
});

test('when the total is just being lowered, it decides again by what may still be given', async () => {
  // As the first half of such an edit leaves it: the version follows once MySQL has the new total.
  const { api, id, sent } = await prepare(
    once((couponId) => stores.redis.hset(stores.keys(couponId).state, 'until', 2)),
  );
  expect(await api.issuers.locked.issue(id, ['a', 'b'])).toEqual([issued(2), { kind: 'sold out' }]);
  expect(sent).toEqual({ puts: 2, takes: 0 });
  expect(await stores.redis.hgetall(stores.keys(id).owners)).toEqual({ first: '1', a: '2' });
});

test('after the period has ended, it writes nothing', async () => {
  const { api, id } = await prepare(
    once((couponId) => stores.redis.hset(stores.keys(couponId).state, 'end', Date.now() - 1)),
  );
  expect(await api.issuers.locked.issue(id, ['a'])).toEqual([{ kind: 'ended' }]);
  expect(await stores.redis.hlen(stores.keys(id).owners)).toBe(1);
});

test('when Redis was restarted, it writes only to a state that was compared with MySQL', async () => {
  const { api, id, sent } = await prepare(
    once((couponId) => stores.redis.hset(stores.keys(couponId).state, 'run', 'the server before')),
  );
  expect(await api.issuers.locked.issue(id, ['a'])).toEqual([issued(2)]);
  expect(sent).toEqual({ puts: 2, takes: 0 });
  expect(await api.openings()).toEqual({ proven: 1, rebuilt: 1 });
});

for (const [what, loseLock] of [
  ['ran out', (couponId: number) => stores.redis.del(stores.keys(couponId).lock)],
  [
    'is held by another by now',
    (couponId: number) => stores.redis.set(stores.keys(couponId).lock, 'another', 'PX', 500),
  ],
] as const) {
  test(`a lock whose lease ${what} cannot write: the script decides`, async () => {
    const { api, id, sent } = await prepare(once(loseLock));
    expect(await api.issuers.locked.issue(id, ['a', 'first', 'b'])).toEqual([issued(2), already(1), issued(3)]);
    expect(sent).toEqual({ puts: 1, takes: 1 });
  });
}

test('the fenced write itself does nothing without the lock, and nothing on an older read', async () => {
  const { id } = await stores.coupon();
  await other.issuers.scripted.issue(id, ['a', 'b']);
  const keys = stores.keys(id);
  await stores.redis.set(keys.lock, 'ours', 'PX', 5000);
  const everything = async () => [
    await stores.redis.hgetall(keys.state),
    await stores.redis.hgetall(keys.owners),
    await stores.redis.xrange(keys.stream, '-', '+'),
  ];
  const before = await everything();
  const server = serverOf(other.redis, keys.state);
  // Coupons of other tests may share the partition, and their users count too.
  const unpersistedUsers = Number(await stores.redis.get(keys.unpersisted));
  const right = {
    keys,
    couponId: id,
    server,
    token: 'ours',
    unpersistedUsersMax: unpersistedUsers + 1,
    epoch: 1,
    version: 1,
    next: 3,
    taken: ['c'],
    endpoint: 'POST /v1/issue-async',
  } as const;
  const wrong = [
    ['lost', { token: 'theirs' }],
    ['changed', { epoch: 2 }],
    ['changed', { version: 2 }],
    ['changed', { next: 2 }],
    ['changed', { server: 'another' }],
    ['overloaded', { unpersistedUsersMax: unpersistedUsers }],
  ] as const;
  for (const [verdict, fault] of wrong) {
    expect(await put(stores.redis, { ...right, ...fault })).toBe(verdict);
    expect(await everything()).toEqual(before);
  }
  expect(await put(stores.redis, right)).toBe('written');
  expect(await stores.redis.hgetall(keys.owners)).toEqual({ a: '1', b: '2', c: '3' });
});

test('when every fenced write loses the race, the script decides', async () => {
  const meddle = (couponId: number, nth: number) => other.issuers.scripted.issue(couponId, [`faster-${nth}`]);
  const { api, id, sent } = await prepare(meddle, { LOCKED_TRIES_MAX: 3 });
  expect(await api.issuers.locked.issue(id, ['a', 'b'])).toEqual([issued(5), { kind: 'sold out' }]);
  expect(sent).toEqual({ puts: 3, takes: 1 });
});

test('when others hold the lock for longer than it may wait, the script decides', async () => {
  await using api = await stores.createApi({ LOCK_WAIT_MS_MAX: 30 });
  const { id } = await stores.coupon();
  await stores.redis.set(stores.keys(id).lock, 'another', 'PX', 60_000);
  expect(await api.issuers.locked.issue(id, ['a'])).toEqual([issued(1)]);
  expect(await stores.redis.get(stores.keys(id).lock)).toBe('another');
});

test('the lock is released, whatever the result', async () => {
  const { api, id } = await prepare(
    once(() => Promise.reject(new Error('planted'))),
    { LOCK_LEASE_MS: 60_000 },
  );
  const { lock } = stores.keys(id);
  await expect(api.issuers.locked.issue(id, ['a'])).rejects.toThrow('planted');
  await eventually('the lock to be free', async () => (await stores.redis.exists(lock)) === 0);
  expect(await api.issuers.locked.issue(id, ['a'])).toEqual([issued(2)]);
  await eventually('the lock to be free again', async () => (await stores.redis.exists(lock)) === 0);
});

test('two processes exclude each other: no decision is wasted', async () => {
  const { id } = await stores.coupon({ totalQuantity: 200 });
  await other.stock.open(id);
  const plans = ['p', 'q'].map((prefix) => {
    const batches = people(60, prefix).map((user) => [user, `${user}-friend`]);
    return { issuer: 'locked' as const, couponId: id, batches };
  });
  const reports = await issueInProcesses(stores.configWith({ LOCK_WAIT_MS_MAX: 20_000 }), plans);
  await drain();
  const answers = reports.flatMap(({ outcomes }, i) =>
    outcomes.flatMap((batch, k) =>
      batch.map((outcome, at): Answer => ({ userId: plans[i]?.batches[k]?.[at] ?? '', outcome })),
    ),
  );
  expect(answers.filter(({ outcome }) => outcome.kind === 'issued')).toHaveLength(200);
  expect(await brokenPromises(stores, id, answers)).toEqual([]);
  // One write for every batch that won anything: without the lock some would be in vain.
  for (const { outcomes, scripts } of reports) {
    const winners = outcomes.filter((batch) => batch.some(({ kind }) => kind === 'issued')).length;
    expect([scripts[put.digest], scripts[take.digest] ?? 0]).toEqual([winners, 0]);
  }
});
