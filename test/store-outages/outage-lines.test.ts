// outage-lines.test.ts -- A whole outage of Redis, and one of MySQL, under load are a few lines of API and worker together.

import { afterAll, expect, test } from 'bun:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import { startEntry } from '../started-entry.ts';
import { needsOneRedis } from '../other-stores.ts';
import { openStores } from '../stores.ts';
import { openTcpProxy, type TcpProxy } from '../tcp-proxy.ts';

const stores = await openStores();
afterAll(() => stores.close());

/** A kind of line comes at 0, 5, 15 and 35 s of an outage: so three of the four of a minute are in this. */
const OUTAGE_MS = 16_000;
const LINES_A_MINUTE_MAX = 200;

/** Asks for everything that callers ask for, from so many callers at a time, until it is disposed of. */
function startLoad(url: string, couponId: number) {
  let asked = 0;
  let isOver = false;
  const json = { 'content-type': 'application/json' };
  const post = (path: string, headers = {}) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { ...json, ...headers },
      body: JSON.stringify({ couponId, userId: `u${asked}` }),
    });
  const kinds = [
    () => post('/v2/issue-async'),
    () => post('/v1/issue-async'),
    () => post('/v1/issue'),
    () => post('/v2/issue-async', { 'idempotency-key': `"k${asked}"` }),
    () => fetch(`${url}/v1/coupons/${couponId}/issues/u${asked}`),
    () => fetch(`${url}/v1/users/u${asked}/issues`),
    () => fetch(`${url}/v1/drops/${couponId + (asked % 7)}`),
  ];
  const callers = Array.from({ length: 30 }, async (_, i) => {
    while (!isOver) {
      asked += 1;
      await kinds[(asked + i) % kinds.length]?.().then(
        (answer) => answer.text(),
        () => undefined,
      );
      await pause(5);
    }
  });
  return {
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await Promise.all(callers);
    },
  };
}

const cannotCut = needsOneRedis('cuts the one connection to Redis');
test.skipIf(cannotCut)(
  'an outage of a minute under load is less than 200 lines',
  async () => {
    await using redis = await openTcpProxy(stores.config.REDIS_URL);
    await using mysql = await openTcpProxy(stores.config.DATABASE_URL);
    const environment = { REDIS_URL: redis.url, DATABASE_URL: mysql.url };
    const api = startEntry(stores, 'src/server.ts', { environment });
    const worker = startEntry(stores, 'workers/worker.ts', { environment });
    const lines = () => [api, worker].flatMap(({ logOf }) => logOf().trimEnd().split('\n'));
    try {
      const url = await api.url();
      await eventually('the worker to drain', () => worker.logOf().includes('"draining"'));
      const { id } = await stores.coupon({ totalQuantity: null });
      await using load = startLoad(url, id);
      await eventually('the load', () => load.asked() > 100);
      const outage = async (proxy: TcpProxy) => {
        const [before, askedBefore] = [lines().length, load.asked()];
        proxy.cut();
        await pause(OUTAGE_MS);
        proxy.restore();
        const asked = load.asked() - askedBefore;
        await pause(1000);
        return { asked, written: lines().slice(before) };
      };
      for (const proxy of [redis, mysql]) {
        const { asked, written } = await outage(proxy);
        expect(asked).toBeGreaterThan(500);
        expect(written.length).toBeGreaterThan(2);
        expect({ written: written.length, few: (written.length * 4) / 3 < LINES_A_MINUTE_MAX }).toMatchObject({
          few: true,
        });
        // They say how many they stand for.
        const leftOut = written.map((line) => (JSON.parse(line) as { leftOut?: number }).leftOut ?? 0);
        expect(leftOut.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100);
      }
    } finally {
      for (const { child } of [api, worker]) {
        child.kill('SIGKILL');
        await child.exited;
      }
    }
  },
  90_000,
);
