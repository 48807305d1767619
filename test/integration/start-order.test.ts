// start-order.test.ts -- Everything may be started together, in any order: who needs a store waits for it, says so, and ends for what
// waiting cannot cure.

import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../../tools/stack/free-port.ts';
import { mysqlUrl, startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { redisUrl, startRedisServer } from '../../tools/stack/redis-server.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { waitForStores } from '../../src/runtime/start-wait.ts';
import { finalFault, transientFault } from '../../src/runtime/store-faults.ts';
import { needsPlainMysql } from '../other-stores.ts';
import { openStores } from '../stores.ts';

const folder = mkdtempSync(join(tmpdir(), 'start-order-'));
const undo: (() => Promise<unknown> | void)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
  rmSync(folder, { recursive: true });
});

interface Started {
  readonly child: Bun.Subprocess;
  /** All that it has written. */
  readonly said: () => string;
}

function start(entry: string, environment: Readonly<Record<string, string>>): Started {
  const child = Bun.spawn([process.execPath, entry], {
    cwd: resolve(import.meta.dir, '../..'),
    env: {
      PATH: process.env['PATH'] ?? '',
      AUTH: 'off',
      HOST: '127.0.0.1',
      PORT: '0',
      WORKER_PORT: '0',
      ...environment,
    },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  undo.push(async () => {
    child.kill('SIGKILL');
    await child.exited;
  });
  let said = '';
  const read = async (stream: AsyncIterable<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const piece of stream) said += decoder.decode(piece, { stream: true });
  };
  void read(child.stdout as AsyncIterable<Uint8Array>);
  void read(child.stderr as AsyncIterable<Uint8Array>);
  return { child, said: () => said };
}

/** Generous for a loaded machine. */
const wait = { waitMsMax: 60_000, pauseMs: 50 };

test('API, worker and migrations that are started before their stores come up once these are there', async () => {
  const [redisPort, mysqlPort] = [await freePort(), await freePort()];
  const environment = { REDIS_URL: redisUrl(redisPort), DATABASE_URL: mysqlUrl(mysqlPort), START_WAIT_S: '300' };
  const [api, worker] = [start('src/server.ts', environment), start('workers/worker.ts', environment)];
  for (const { said } of [api, worker])
    await waitUntil('a word of waiting', () => said().includes('waiting for'), wait);
  const redis = await startRedisServer({ folder: join(folder, 'redis'), port: redisPort });
  undo.push(() => redis.stop());
  const migrate = start('src/commands/migrate.ts', environment);
  await waitUntil('a word of waiting', () => migrate.said().includes('waiting for'), wait);
  const mysql = await startMysqlServer({ folder: join(folder, 'mysql'), port: mysqlPort });
  undo.push(() => mysql.stop());
  expect(await migrate.child.exited).toBe(0);
  await waitUntil('the API to listen', () => api.said().includes('"listening"'), wait);
  await waitUntil('the worker to drain', () => worker.said().includes('"draining"'), wait);
  const url = /"url":"([^"]+)"/.exec(api.said())?.[1] ?? '';
  expect((await fetch(new URL('/readyz', url))).status).toBe(200);
  // One line for all that it waited for, again every ten seconds, and none for each try to connect.
  for (const { said } of [api, worker]) {
    const warnings = said()
      .split('\n')
      .filter((line) => line.includes('"level":40'));
    expect(warnings.filter((line) => !line.includes('waiting for'))).toEqual([]);
    expect(said()).toContain('REDIS_URL: Redis cannot be used (ECONNREFUSED)');
    expect(said()).toContain('DATABASE_URL: MySQL cannot be used (ECONNREFUSED)');
  }
}, 180_000);

test.skipIf(needsPlainMysql('tries a wrong password'))(
  'what waiting cannot cure ends a start immediately',
  async () => {
    const stores = await openStores();
    undo.push(() => stores.close());
    const wrong = new URL(stores.config.DATABASE_URL);
    wrong.password = 'wrong';
    const environment = { DATABASE_URL: wrong.href, REDIS_URL: redisUrl(await freePort()), START_WAIT_S: '300' };
    for (const entry of ['src/server.ts', 'workers/worker.ts', 'src/commands/migrate.ts']) {
      const { child, said } = start(entry, environment);
      expect(await child.exited).toBe(1);
      await waitUntil('its words', () => said().includes('ER_ACCESS_DENIED_ERROR 1045'), wait);
      expect(said()).not.toContain('waiting for');
    }
  },
  120_000,
);

test('what may pass is waited for as long as it may be, and said once in a while', async () => {
  const said: string[] = [];
  const startMs = performance.now();
  let checks = 0;
  const failing = waitForStores(
    2,
    (line) => said.push(line),
    async () => {
      checks += 1;
      return [transientFault('A: is starting'), transientFault('B: is starting')];
    },
  );
  await expect(failing).rejects.toThrow('A: is starting\nB: is starting');
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(2000);
  expect(checks).toBeGreaterThan(2);
  expect(said).toEqual(['waiting for at most 2 s (START_WAIT_S): A: is starting; B: is starting']);
});

test('without a wait, and with a fault that stays, there is one check', async () => {
  for (const [waitS, fault] of [
    [0, transientFault('A: is starting')],
    [60, finalFault('A: is wrong')],
  ] as const) {
    let checks = 0;
    const failing = waitForStores(waitS, expect.unreachable, async () => {
      checks += 1;
      return [fault];
    });
    await expect(failing).rejects.toThrow(fault.line);
    expect(checks).toBe(1);
  }
});
