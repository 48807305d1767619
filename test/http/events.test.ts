// events.test.ts -- Event streams over real connections, on Bun and Deno: who is gone takes no room, who is slow takes no memory, and
// nobody keeps a server from stopping.

import { expect, test } from 'bun:test';
import { get, type IncomingMessage } from 'node:http';
import { eventually } from '../eventually.ts';
import { type Runtime, startSteered } from './steered-process.ts';

const runtimes: readonly Runtime[] = ['bun', 'deno'];

test.concurrent.each(runtimes)('on %s a listener that disconnects frees its place', async (runtime) => {
  await using server = await startServer(runtime);
  for (let round = 0; round < 5; round += 1) {
    const [first, second] = await Promise.all([server.listen(1), server.listen(1)]);
    expect(await server.statusOf(1)).toBe(503);
    first.destroy();
    await eventually('room for another', async () => (await server.statusOf(1)) === 200);
    second.destroy();
    // Who was let in to find that out is gone as well.
    await eventually('room for two', async () => (await server.roomFor(2)) === 2);
  }
});

test.concurrent.each(runtimes)(
  'on %s samples are not buffered for a listener that does not read them',
  async (runtime) => {
    await using server = await startServer(runtime);
    const slow = await server.listen(2);
    slow.pause();
    const pausedAt = await server.samples();
    await eventually('a hundred megabytes to be missed', async () => (await server.samples()) >= pausedAt + 100);
    const resumedAt = await server.samples();
    const kept = await samplesBefore(slow, resumedAt);
    // What the stream keeps at most, and the buffers of the network.
    expect(kept.length).toBeLessThan(50);
    expect(kept.length).toBeGreaterThan(0);
    slow.destroy();
  },
);

test.concurrent.each(runtimes)(
  'on %s a server that stops ends every stream, and waits for no one who is stuck',
  async (runtime) => {
    await using server = await startServer(runtime);
    const [reading, stuck] = await Promise.all([server.listen(1), server.listen(2)]);
    stuck.pause();
    const pausedAt = await server.samples();
    await eventually('it to be stuck', async () => (await server.samples()) >= pausedAt + 60);
    const ended = Promise.withResolvers<boolean>();
    reading
      .on('end', () => ended.resolve(reading.complete))
      .on('error', ended.reject)
      .resume();
    server.stop();
    expect(await ended.promise).toBe(true);
    expect(await server.exited).toBe(0);
    stuck.destroy();
  },
);

test.concurrent.each(runtimes)(
  'on %s listeners that never read, or that vanished, hold their places no longer than a stream lives',
  async (runtime) => {
    await using server = await startServer(runtime, 2, 1000);
    // To the server both look the same: connections that take what is sent, and say nothing.
    const [mute, stuck] = await Promise.all([server.listen(1), server.listen(2)]);
    mute.pause();
    stuck.pause();
    expect(await server.statusOf(1)).toBe(503);
    await eventually('room for two', async () => (await server.roomFor(2)) === 2);
    mute.destroy();
    stuck.destroy();
  },
);

test.concurrent.each(runtimes)(
  'on %s a listener that is there keeps its place for its next stream',
  async (runtime) => {
    await using server = await startServer(runtime, 1, 1000);
    let stream = await server.listen(1);
    for (let streams = 0; streams < 3; streams += 1) {
      const text = await restOf(stream);
      const [, id] = /retry: 100\nid: (\S+)\nevent: renew\ndata: \{\}\n\n$/.exec(text) ?? [];
      expect(id).toBeDefined();
      // A newcomer finds no place though the stream has ended.
      expect(await server.statusOf(1)).toBe(503);
      stream = await server.ask(1, { 'last-event-id': id ?? '' });
      expect(stream.statusCode).toBe(200);
    }
    stream.destroy();
  },
);

async function startServer(runtime: Runtime, listenersMax = 2, lifeMs?: number) {
  const child = startSteered(
    runtime,
    'events-entry.ts',
    String(listenersMax),
    ...(lifeMs === undefined ? [] : [String(lifeMs)]),
  );
  const port = Number(await child.line());
  const ask = (couponId: number, headers: Record<string, string> = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const path = `/v1/coupons/${couponId}/events`;
      get({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).on('error', reject);
    });
  /** Asks, and disconnects immediately. */
  const statusOf = async (couponId: number) => {
    const answer = await ask(couponId);
    answer.destroy();
    return answer.statusCode;
  };
  return {
    exited: child.exited,
    stop: () => child.say('stop'),
    ask,
    statusOf,
    /**
     * Listens once there is a place, since a server may not yet have seen that a former listener is gone, and reads the first bytes.
     * Whatever becomes of the connection later is no error of the test.
     */
    async listen(couponId: number): Promise<IncomingMessage> {
      let answer = await ask(couponId);
      await eventually('a place', async () => {
        if (answer.statusCode === 200) return true;
        answer.destroy();
        answer = await ask(couponId);
        return answer.statusCode === 200;
      });
      answer.on('error', () => {});
      await new Promise((resolve) => answer.once('readable', resolve));
      return answer;
    },
    /** How many of so many are let in at once. */
    async roomFor(listeners: number): Promise<number> {
      const answers = await Promise.all(Array.from({ length: listeners }, () => ask(1)));
      for (const answer of answers) answer.destroy();
      return answers.filter(({ statusCode }) => statusCode === 200).length;
    },
    async samples(): Promise<number> {
      child.say('look');
      return Number(await child.line());
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

async function restOf(stream: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) text += String(piece);
  return text;
}

/** Reads on until a sample of after `instant` comes, and gives those from before it. */
async function samplesBefore(stream: IncomingMessage, instant: number): Promise<readonly number[]> {
  const seen: number[] = [];
  let rest = '';
  for await (const piece of stream.setEncoding('latin1')) {
    const events = (rest + String(piece)).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const issued = Number(/"issued":(\d+)/.exec(event)?.[1] ?? 0);
      if (issued > instant) return seen;
      if (issued > 0) seen.push(issued);
    }
  }
  throw new Error('the stream ended');
}
