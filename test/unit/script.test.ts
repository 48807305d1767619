// Shows how a script is sent: by its digest, with its source when Redis does not know it, and never twice otherwise.
import { expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { defineScript } from '../../src/redis/script.ts';

const source = new URL('../../src/stock/scripts/end-opening.lua', import.meta.url);
const text = readFileSync(source, 'utf8');
const digest = createHash('sha1').update(text).digest('hex');
/** Includes nothing, so that its text is what is sent. */
const script = defineScript<{ key: string }, string>({
  source,
  keys: ({ key }) => [key],
  args: () => ['token', 5],
  read: (reply) => reply.text(0),
});

/** A Redis that fails when asked by digest, and keeps what it was asked. */
function refusing(message: string) {
  const asked: unknown[][] = [];
  const redis = {
    evalsha: (...words: unknown[]) => {
      asked.push(['evalsha', ...words]);
      return Promise.reject(new Error(message));
    },
    eval: (...words: unknown[]) => {
      asked.push(['eval', ...words]);
      return Promise.resolve(['done']);
    },
  };
  return { redis: redis as unknown as Redis, asked };
}

test('a Redis that does not know the script gets its source', async () => {
  const { redis, asked } = refusing('NOSCRIPT No matching script. Please use EVAL.');
  expect(await script(redis, { key: 'k' })).toBe('done');
  expect(asked).toEqual([
    ['evalsha', digest, 1, 'k', 'token', 5],
    ['eval', text, 1, 'k', 'token', 5],
  ]);
});

test.each([
  'Command timed out',
  'Connection is closed.',
  'OOM command not allowed',
  'READONLY You cannot write against a replica',
  'ERR the script said NOSCRIPT',
])('a script that may have run is not sent again: %s', async (message) => {
  const { redis, asked } = refusing(message);
  const failure: unknown = await script(redis, { key: 'k' }).catch((error: unknown) => error);
  expect(failure).toEqual(new Error(message));
  expect(asked).toHaveLength(1);
});

test('an included file is sent as a part of the script, once for each place', async () => {
  const folder = new URL('../../src/stock/scripts/', import.meta.url);
  const { redis, asked } = refusing('NOSCRIPT No matching script. Please use EVAL.');
  const take = defineScript<void, string>({
    source: new URL('take.lua', folder),
    keys: () => [],
    args: () => [],
    read: (reply) => reply.text(0),
  });
  expect(await take(redis)).toBe('done');
  const sent = String(asked[1]?.[1]);
  expect(take.digest).toBe(createHash('sha1').update(sent).digest('hex'));
  expect(sent).not.toMatch(/^--- include/m);
  for (const name of ['nowMs', 'isServer', 'issuedIn', 'lastSequence', 'accept'])
    expect(sent.split(`local function ${name}(`)).toHaveLength(2);
});
