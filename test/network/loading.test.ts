// loading.test.ts -- A Redis that loads its data after a restart is used as soon as it is done, whatever it guessed that this takes.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config/config.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { connect, issuingConnection } from '../../src/redis/connection.ts';

const folder = mkdtempSync(join(tmpdir(), 'coupon-loading-'));
/** Many small keys first, each slow to load, then much data in few: the guess grows to many minutes and is over in a second. */
const SMALL_KEYS = 4000;
const LARGE_KEYS = 100;
const LARGE_BYTES = 200_000;
let server: PrivateServer;

beforeAll(async () => {
  // So many microseconds for each key: two seconds for all that are small.
  server = await startRedisServer({ folder, settings: { 'key-load-delay': '500', appendfsync: 'no' } });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

test('a connection is ready within a second of its server', async () => {
  const settings = readConfig(['REDIS_URL', 'REDIS_COMMAND_MS_MAX', 'REDIS_CONNECT_MS_MAX'], { REDIS_URL: server.url });
  const faults: Error[] = [];
  const redis = issuingConnection(settings, (fault) => faults.push(fault));
  try {
    await connect(redis);
    await Promise.all(Array.from({ length: SMALL_KEYS }, (_, i) => redis.set(`small-${i}`, 'x')));
    await Promise.all(Array.from({ length: LARGE_KEYS }, (_, i) => redis.set(`large-${i}`, 'x'.repeat(LARGE_BYTES))));
    await server.restart();
    await waitUntil('the connection to be ready again', () => redis.status === 'ready', { waitMsMax: 1000 });
    expect(await redis.get('small-0')).toBe('x');
  } finally {
    redis.disconnect();
  }
});
