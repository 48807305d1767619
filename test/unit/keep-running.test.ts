// keep-running.test.ts -- A private store of `bun run dev` that ends is started again, however short it was up; one that does not stay up is
// given up.

import { expect, test } from 'bun:test';
import { keepRunning } from '../../tools/dev/keep-running.ts';
import { eventually } from '../eventually.ts';

/** A server that is ended by hand. */
function fakeServer() {
  let end = Promise.withResolvers<string>();
  return {
    port: 1234,
    logFile: '/somewhere/redis.log',
    get ended() {
      return end.promise;
    },
    end: (how: string) => end.resolve(how),
    async restart() {
      end = Promise.withResolvers();
    },
  };
}

function watched(server: ReturnType<typeof fakeServer>) {
  const said: string[] = [];
  const reasons: string[] = [];
  const stop = keepRunning({
    name: 'Redis',
    server,
    say: (line) => void said.push(line),
    giveUp: (reason) => void reasons.push(reason),
  });
  return { said, reasons, stop };
}

test('a store that ends right after its start is started again', async () => {
  const server = fakeServer();
  const { said, reasons, stop } = watched(server);
  server.end('SIGKILL');
  await eventually('it to be back', () => said.includes('Redis is back on port 1234'));
  expect(said).toEqual(['Redis ended with SIGKILL; it is started again with its data', 'Redis is back on port 1234']);
  expect(reasons).toEqual([]);
  await stop();
});

test('a store that ends right after it was started again is given up, once', async () => {
  const server = fakeServer();
  const { said, reasons } = watched(server);
  server.end('SIGKILL');
  await eventually('it to be back', () => said.length === 2);
  server.end('code 1');
  await eventually('it to be given up', () => reasons.length > 0);
  expect(reasons).toEqual(['Redis ended with code 1 again: its log is .local/redis.log']);
  expect(said).toHaveLength(2);
});

test('a store that cannot be started again is given up with the reason', async () => {
  const server = {
    ...fakeServer(),
    ended: Promise.resolve('SIGKILL'),
    restart: async () => Promise.reject(new Error('no room')),
  };
  const { reasons } = watched(server);
  await eventually('it to be given up', () => reasons.length > 0);
  expect(reasons).toEqual(['no room']);
});
