// The private servers keep their word: durable through kill -9, alone in their folder, and never left behind.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startChild } from '../../tools/stack/child-process.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import { freePort, isPortFree } from '../../tools/stack/free-port.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { identify, isStillRunning, type ProcessIdentity } from '../../tools/stack/process-identity.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';

let folder: string;
const waitMsMax = 20_000;

beforeAll(() => {
  // With a space in it, as on many a newcomer's machine.
  folder = mkdtempSync(join(tmpdir(), 'coupon servers-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a private Redis that is killed hard has every acknowledged write when it is back', async () => {
  const server = await startRedisServer({ folder: join(folder, 'durable') });
  const written = Array.from({ length: 200 }, (_, index) => String(index));
  await withRedis(server.url, (client) => Promise.all(written.map((value) => client.send('RPUSH', ['list', value]))));
  const pidBefore = server.pid;
  await server.kill();
  await server.restart();
  expect(server.pid).not.toBe(pidBefore);
  expect(await withRedis(server.url, (client) => client.send('LRANGE', ['list', '0', '-1']))).toEqual(written);
  await server.stop();
});

test('a private Redis takes the settings of a test, and forgets everything when the log is off', async () => {
  const server = await startRedisServer({ folder: join(folder, 'forgetful'), settings: { appendonly: 'no' } });
  await withRedis(server.url, (client) => client.send('SET', ['name', 'value']));
  await server.kill();
  await server.restart();
  expect(await withRedis(server.url, (client) => client.send('GET', ['name']))).toBeNull();
  await server.stop();
});

test('a private MySQL has its database, and after a hard kill every committed row', async () => {
  const server = await startMysqlServer({ folder: join(folder, 'durable') });
  await withSql(server.url, async (sql) => {
    await sql`CREATE TABLE numbers (number int PRIMARY KEY)`;
    await sql`INSERT INTO numbers VALUES (1), (2), (3)`;
  });
  await server.kill();
  await server.restart();
  const query = 'SELECT COUNT(*) AS count, DATABASE() AS name, @@tmpdir AS temporary FROM numbers';
  const rows = await withSql<unknown[]>(server.url, (sql) => sql.unsafe(query).values());
  // A folder for temporary tables of its own: another server that starts would delete those in /tmp.
  expect([...rows]).toEqual([[3, 'coupon', join(folder, 'durable', 'mysql.temporary')]]);
  await server.stop();
}, 60_000);

test('a server does not outlive a hard kill of the process that started it', async () => {
  const serverFolder = join(folder, 'orphan');
  const { owner, server } = await startInAnotherProcess(serverFolder);
  owner.signal('SIGKILL');
  await waitUntil('the server to end', () => !isStillRunning(server), { waitMsMax });
  const next = await startRedisServer({ folder: serverFolder });
  await next.stop();
});

test('a server that a dead process left running is ended by the next start in its folder', async () => {
  const serverFolder = join(folder, 'left-behind');
  const left = await startChild({ program: 'sleep', args: ['600'], stdio: 'ignore' });
  const owner = { pid: process.pid, began: 'in another life' };
  mkdirSync(serverFolder);
  writeFileSync(join(serverFolder, 'redis.process.json'), JSON.stringify({ server: identify(left.pid), owner }));
  const server = await startRedisServer({ folder: serverFolder });
  expect(await left.ended).toBe('SIGTERM');
  await server.stop();
});

test('a folder in use is refused with the pid that has it, and its server is left alone', async () => {
  const server = await startRedisServer({ folder: join(folder, 'shared') });
  await expect(startRedisServer({ folder: join(folder, 'shared') })).rejects.toThrow(
    `in use by process ${process.pid}`,
  );
  expect(await withRedis(server.url, (client) => client.send('PING', []))).toBe('PONG');
  await server.stop();
});

test('a server that cannot start says why, with the end of its log', async () => {
  const attempt = startRedisServer({ folder: join(folder, 'broken'), settings: { appendfsync: 'perhaps' } });
  await expect(attempt).rejects.toThrow(/Redis did not start: .*ended with code 1[^]*appendfsync/);
});

test('a port is free until somebody listens on it', async () => {
  const port = await freePort();
  expect(await isPortFree(port)).toBe(true);
  const server = createServer().listen(port, '127.0.0.1');
  await waitUntil('the server to listen', () => server.listening, { waitMsMax });
  expect(await isPortFree(port)).toBe(false);
  server.close();
});

test('a wait is bounded, and its error says what it was for', async () => {
  await expect(waitUntil('the moon', () => false, { waitMsMax: 30 })).rejects.toThrow(
    'waited 30 ms in vain for the moon',
  );
});

test('a pid that was given to another process is not taken for the first one', () => {
  const self = identify(process.pid);
  if (self === undefined) throw new Error('this very process is not running');
  expect(isStillRunning(self)).toBe(true);
  expect(isStillRunning({ ...self, began: 'long ago' })).toBe(false);
});

test('a program is found by the first of its names that is there', () => {
  expect(findProgram('no-such-program', 'sh')).toEndWith('/sh');
  expect(findProgram('no-such-program')).toBeUndefined();
});

async function withRedis<Result>(url: string, use: (client: Bun.RedisClient) => Promise<Result>): Promise<Result> {
  const client = new Bun.RedisClient(url);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

async function withSql<Result>(url: string, use: (sql: Bun.SQL) => Promise<Result>): Promise<Result> {
  const sql = new Bun.SQL(url);
  try {
    return await use(sql);
  } finally {
    await sql.close();
  }
}

async function startInAnotherProcess(serverFolder: string) {
  const file = resolve(import.meta.dir, '../../tools/stack/redis-server.ts');
  const script = `import { startRedisServer } from ${JSON.stringify(file)};
    await startRedisServer({ folder: ${JSON.stringify(serverFolder)} });
    console.log('ready');
    setInterval(() => {}, 1_000);`;
  const owner = await startChild({
    program: process.execPath,
    args: ['-e', script],
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((ready) => owner.stdout?.once('data', ready));
  const record = JSON.parse(readFileSync(join(serverFolder, 'redis.process.json'), 'utf8')) as {
    server: ProcessIdentity;
  };
  expect(isStillRunning(record.server)).toBe(true);
  return { owner, server: record.server };
}
