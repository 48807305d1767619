// dev.test.ts -- `bun run dev` listens on this machine alone, unless told otherwise: its AUTH is off, and its key known to everybody.

import { afterAll, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { coupons } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { eventually } from '../eventually.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
afterAll(() => stores.close());

/** Starts it on the stores of this test, and stops it after use. */
async function startDev(environment: Readonly<Record<string, string>>) {
  const { DATABASE_URL, REDIS_URL, KEY_PREFIX } = stores.config;
  const port = await freePort();
  const child = Bun.spawn([process.execPath, 'tools/dev.ts'], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DATABASE_URL,
      REDIS_URL,
      KEY_PREFIX,
      PORT: `${port}`,
      ...environment,
    },
    stdout: 'pipe',
    stderr: 'inherit',
  });
  let said = '';
  const read = async () => {
    for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) said += piece;
  };
  void read();
  const stop = async () => {
    child.kill('SIGTERM');
    await child.exited;
  };
  const isReady = () => said.includes('\nReady in ') || child.exitCode !== null;
  await eventually('bun run dev to be ready', isReady).catch(async (error: unknown) => {
    await stop();
    throw new Error(`it is not ready:\n${said}`, { cause: error });
  });
  return { port, [Symbol.asyncDispose]: stop };
}

/** Whether anything listens there. Every address of 127.0.0.0/8 is this machine, and the wildcard address is all of them. */
function listens(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port });
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

test.each([
  ['', false],
  ['0.0.0.0', true],
])('with HOST=%s other addresses are served: %p', async (host, isOpen) => {
  await using dev = await startDev(host === '' ? {} : { HOST: host });
  expect(await listens('127.0.0.1', dev.port)).toBe(true);
  if (hasIpv6) expect(await listens('::1', dev.port)).toBe(!isOpen);
  expect(await listens('127.0.0.2', dev.port)).toBe(isOpen);
  // What a newcomer tries is announced.
  const listed = await withConnection(stores.database, (session) =>
    session.select({ listed: coupons.listed }).from(coupons),
  );
  expect(new Set(listed.map((each) => each.listed))).toEqual(new Set([true]));
});
