// chaos-options.test.ts -- `bun run chaos` starts nothing on arguments that it does not understand, and the seed decides the order.

import { expect, test } from 'bun:test';
import { readChaosOptions } from '../chaos/options.ts';
import { seededRandom } from '../chaos/seeded-random.ts';

test('without arguments it takes a seed of its own, a minute and the server on the PATH', () => {
  expect(readChaosOptions({}, 7)).toEqual({
    seed: 7,
    minutes: 1,
    mode: 'faults',
    replicas: 0,
    replicasMin: 0,
    databaseName: 'the server on the PATH',
  });
});

test('one kind of Redis is used at a time', () => {
  expect(readChaosOptions({ cluster: true }, 7).redis).toBe('cluster');
  expect(readChaosOptions({ sentinel: true }, 7).redis).toBe('sentinel');
  expect(readChaosOptions({ cluster: true, 'replicas-min': '1' }, 7)).toMatchObject({ replicas: 0, replicasMin: 1 });
  expect(() => readChaosOptions({ cluster: true, sentinel: true }, 7)).toThrow('choose one');
});

test('one kind of run is done at a time', () => {
  expect(readChaosOptions({ soak: true }, 7).mode).toBe('soak');
  expect(readChaosOptions({ overload: true }, 7).mode).toBe('overload');
  expect(readChaosOptions({ only: 'MySQL' }, 7).only).toBe('MySQL');
  expect(readChaosOptions({ vitess: true }, 7).vitessShards).toBe(2);
  expect(readChaosOptions({ vitess: true, unsharded: true }, 7).vitessShards).toBe(0);
  expect(() => readChaosOptions({ soak: true, overload: true }, 7)).toThrow('choose one');
  expect(() => readChaosOptions({ vitess: true, database: '/bin/sh' }, 7)).toThrow('leave out --database');
  expect(() => readChaosOptions({ unsharded: true }, 7)).toThrow('belongs to --vitess');
});

test('a program is distinguished from a URL, and the URL is not repeated', () => {
  expect(readChaosOptions({ database: '/bin/sh' }, 7)).toMatchObject({ mysqlProgram: '/bin/sh' });
  expect(readChaosOptions({ database: 'mysql://a:secret@b/c' }, 7)).toMatchObject({
    databaseName: 'the given server',
    databaseUrl: 'mysql://a:secret@b/c',
  });
});

test.each([
  [{ seed: 'abc' }, '--seed must be a whole number from 0 to 4294967295'],
  [{ seed: '4294967296' }, '--seed must be'],
  [{ seed: '-1' }, '--seed must be'],
  [{ minutes: '1.5' }, '--minutes must be'],
  [{ minutes: '' }, '--minutes must be'],
  [{ 'replicas-min': '1' }, '--replicas-min must be a whole number from 0 to 0'],
  [{ replicated: true, 'replicas-min': '3' }, '--replicas-min must be a whole number from 0 to 2'],
  [{ database: 'postgres' }, '--database must be'],
])('%j is refused in words', (given, words) => {
  expect(() => readChaosOptions(given, 7)).toThrow(words);
});

test('the same seed shuffles the same way, another one another way, and nothing is lost', () => {
  const items = Array.from({ length: 20 }, (_, i) => i);
  expect(seededRandom(1).shuffle(items)).toEqual(seededRandom(1).shuffle(items));
  expect(seededRandom(1).shuffle(items)).not.toEqual(seededRandom(2).shuffle(items));
  expect(
    seededRandom(1)
      .shuffle(items)
      .toSorted((a, b) => a - b),
  ).toEqual(items);
});
