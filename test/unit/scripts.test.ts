// Shows what each script is called with, and that no reply is believed before its shape and length are checked.
import { describe, expect, test } from 'bun:test';
import type { Redis } from 'ioredis';
import { InvariantViolation } from '../../src/invariant.ts';
import { couponKeys, partitionKeys } from '../../src/stream/keys.ts';
import { look, put, take } from '../../src/stock/decision-scripts.ts';
import { applyEdit, close, hold, lowerTotal, removeUnissued } from '../../src/stock/edit-scripts.ts';
import { beginOpening, endOpening, finishOpening, loadOwners, proveState } from '../../src/stock/opening-scripts.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import type { Script } from '../../src/redis/script.ts';

/** A Redis that gives one reply to every script, and keeps the words it was called with. */
function redisAnswering(reply: unknown) {
  const calls: unknown[][] = [];
  const redis = {
    evalsha: (digest: string, ...rest: unknown[]) => {
      expect(digest).toMatch(/^[0-9a-f]{40}$/);
      calls.push(rest);
      return Promise.resolve(reply);
    },
  };
  return { redis: redis as unknown as Redis, calls };
}

interface Case {
  readonly name: string;
  /** Runs the script against a Redis that gives this reply. */
  readonly run: (reply: unknown) => Promise<{ result: unknown; words: unknown }>;
  /** What Redis is called with: number of keys, keys, arguments. */
  readonly words: readonly unknown[];
  /** Replies, with what they mean. */
  readonly understood: readonly (readonly [reply: unknown, result: unknown])[];
  readonly malformed: readonly unknown[];
}

function scriptCase<Input, Reply>(
  name: string,
  script: Script<Input, Reply>,
  input: Input,
  expected: Pick<Case, 'words' | 'understood' | 'malformed'>,
): Case {
  const run = async (reply: unknown) => {
    const { redis, calls } = redisAnswering(reply);
    const result: unknown = await script(redis, input);
    return { result, words: calls };
  };
  return { name, run, ...expected };
}

const keys = couponKeys(6, 4);
const state = 'coupon:{2}:6:state';
const owners = 'coupon:{2}:6:owners';
const opening = 'coupon:{2}:6:opening';
const lock = 'coupon:{2}:6:lock';
const stream = 'issues:{2}';
const unpersisted = 'issues:{2}:unpersisted';
const loading = 'coupon:{2}:6:owners:t1';

const issued = (sequence: number) => ({ kind: 'issued', sequence });
const stock = { next: 8, until: 10, startMs: 100, endMs: 200, paused: false };

const cases: readonly Case[] = [
  scriptCase(
    'take',
    take,
    {
      keys,
      couponId: 6,
      server: 'run1',
      unpersistedUsersMax: 9,
      users: ['a', 'b', 'c'],
      endpoint: 'POST /v1/issue',
    },
    {
      words: [4, state, owners, stream, unpersisted, 6, 'run1', 9, 'a,b,c', 1, 1],
      understood: [
        [['not open'], { kind: 'not open' }],
        [['overloaded'], { kind: 'overloaded' }],
        [['erased', 'k'], { kind: 'erased', erasureKey: 'k' }],
        [['paused'], { kind: 'refused', refusal: { kind: 'paused' } }],
        [['not started'], { kind: 'refused', refusal: { kind: 'not started' } }],
        [['ended'], { kind: 'refused', refusal: { kind: 'ended' } }],
        [
          ['all issued', 1000, 3, 7],
          { kind: 'decided', server: 'run1', acceptedMs: 1000, epoch: 3, outcomes: [issued(7), issued(8), issued(9)] },
        ],
        [
          ['decided', 1000, 3, 7, -4, 0],
          {
            kind: 'decided',
            server: 'run1',
            acceptedMs: 1000,
            epoch: 3,
            outcomes: [issued(7), { kind: 'already issued', sequence: 4 }, { kind: 'sold out' }],
          },
        ],
      ],
      malformed: [
        ['sold out'],
        ['erased', 1],
        ['not exist'],
        [0],
        ['decided'],
        ['decided', 1000, 3, 7, 8],
        ['decided', 1000, 3, 7, 8, 9, 10],
        ['decided', 1000, 3, 7, null, 9],
        ['decided', 1000, 3, 7, 1.5, 9],
        ['decided', null, 3, 7, 8, 9],
        ['decided', 1000, 'three', 7, 8, 9],
        ['all issued', 1000, 3],
        ['all issued', 1000, 3, 7, 8],
        ['all issued', 1000, 3, null],
        ['all issued', null, 3, 7],
      ],
    },
  ),
  scriptCase(
    'look',
    look,
    { keys, server: 'run1', users: ['a', 'b'] },
    {
      words: [2, state, owners, 'run1', 'a,b'],
      understood: [
        [['not open'], { kind: 'not open' }],
        [['erased', 'k'], { kind: 'erased', erasureKey: 'k' }],
        [
          ['open', 150, '3', '2', '8', '10', '100', '200', '0', 6, -2, '5', 1, '7'],
          {
            kind: 'open',
            server: 'run1',
            nowMs: 150,
            epoch: 3,
            version: 2,
            stock,
            issued: 6,
            owners: new Map([
              ['b', 5],
              ['a', 7],
            ]),
            erased: new Set(['b']),
          },
        ],
        [
          ['open', 150, '3', '2', '8', '10', '100', '200', '0', 6, 1, '7'],
          {
            kind: 'open',
            server: 'run1',
            nowMs: 150,
            epoch: 3,
            version: 2,
            stock,
            issued: 6,
            owners: new Map([['a', 7]]),
            erased: new Set(),
          },
        ],
        [
          ['open', 150, '3', '2', '8', '-1', '100', '200', '1', 7],
          {
            kind: 'open',
            server: 'run1',
            nowMs: 150,
            epoch: 3,
            version: 2,
            stock: { ...stock, until: -1, paused: true },
            issued: 7,
            owners: new Map(),
            erased: new Set(),
          },
        ],
      ],
      malformed: [
        ['shut'],
        ['erased'],
        ['open', 150, '3', '2', '8', '10', '100', '200', '0', 6, 1],
        ['open', 150, '3', '2', '8', '10', '100', '200', '0', 6, 3, '7'],
        ['open', 150, '3', '2', '8', '10', '100', '200', null, 6, 1, '7'],
        ['open', 150, '3', '2', '8', '10', '100', '200', '2', 6, 1, '7'],
        ['open', 150, '3', '2', null, '10', '100', '200', '0', 6, 1, '7'],
        ['open', 150, '3', '2', '', '10', '100', '200', '0', 6, 1, '7'],
        ['open', 150, '3', '2', ' ', '10', '100', '200', '0', 6, 1, '7'],
        ['open', 150, '3', '2', '0x8', '10', '100', '200', '0', 6, 1, '7'],
        ['open', 150, '3', '2', '8', '10', '100', '200', '0', 6, 1, 'seven'],
        ['open', 150, '3', '2', '8', '10', '100', '200', '0', 6, 0, '7'],
        ['open', 150, '3', '2', '8', '10', '100', '200', '0'],
      ],
    },
  ),
  scriptCase(
    'put',
    put,
    {
      keys,
      couponId: 6,
      token: 't1',
      unpersistedUsersMax: 9,
      server: 'run1',
      epoch: 3,
      version: 2,
      next: 8,
      taken: ['a', 'b'],
      endpoint: 'POST /v2/issue-async',
    },
    {
      words: [5, state, owners, stream, unpersisted, lock, 6, 't1', 9, 'run1', 3, 2, 8, 'a,b', 1, 3],
      understood: [
        [['written'], 'written'],
        [['changed'], 'changed'],
        [['lost'], 'lost'],
        [['overloaded'], 'overloaded'],
      ],
      malformed: [['ok'], [1]],
    },
  ),
  scriptCase(
    'settle',
    settle,
    {
      keys: partitionKeys(2),
      entries: [
        { id: '1-0', users: 2 },
        { id: '2-0', users: 1 },
      ],
      deadLetters: [{ entryId: '1-0', reason: 'no stock left', fields: ['v', '1', 'c', '6'] }],
    },
    {
      words: [
        3,
        stream,
        unpersisted,
        'issues:{2}:dead',
        'workers',
        2,
        '1-0',
        2,
        '2-0',
        1,
        '1-0',
        'no stock left',
        4,
        'v',
        '1',
        'c',
        '6',
      ],
      understood: [[['settled', 2, 0], { deleted: 2, unpersisted: 0 }]],
      malformed: [['ended', 2, 0], ['settled'], ['settled', 2], ['settled', 'two', 0]],
    },
  ),
  scriptCase(
    'begin-opening',
    beginOpening,
    { keys, server: 'run1', token: 't1', leaseMs: 500 },
    {
      words: [3, state, owners, opening, 'run1', 't1', 500],
      understood: [
        [['open'], { kind: 'open' }],
        [['busy'], { kind: 'busy' }],
        [['begun'], { kind: 'begun' }],
        [['unknown form'], { kind: 'unknown form' }],
        [['unproven', '3', '2', '8', 7], { kind: 'unproven', epoch: 3, version: 2, next: 8, owners: 7 }],
      ],
      malformed: [['unproven'], ['unproven', '3', '2', '8'], ['unproven', '3', '2', null, 7], ['done']],
    },
  ),
  scriptCase(
    'load-owners',
    loadOwners,
    { keys, token: 't1', leaseMs: 500, owners: ['a', 1, 'b', 2] },
    {
      words: [2, opening, loading, 't1', 500, 'a', 1, 'b', 2],
      understood: [
        [['loaded', 2], 2],
        [['superseded'], null],
      ],
      malformed: [['loaded'], ['loaded', 'two'], ['opened']],
    },
  ),
  scriptCase(
    'finish-opening',
    finishOpening,
    { keys, token: 't1', owners: 5, server: 'run1', stock, epoch: 3, version: 2, aheadMs: -7 },
    {
      words: [
        4,
        state,
        owners,
        opening,
        loading,
        't1',
        5,
        'form',
        1,
        'run',
        'run1',
        'next',
        8,
        'until',
        10,
        'gap',
        2,
        'start',
        100,
        'end',
        200,
        'paused',
        0,
        'epoch',
        3,
        'version',
        2,
        'ahead',
        -7,
      ],
      understood: [
        [['opened'], 'opened'],
        [['superseded'], 'superseded'],
        [['incomplete'], 'incomplete'],
      ],
      malformed: [['open'], [null]],
    },
  ),
  scriptCase(
    'prove-state',
    proveState,
    { keys, token: 't1', server: 'run1', aheadMs: 7 },
    {
      words: [2, state, opening, 't1', 'run1', 7],
      understood: [
        [['opened'], 'opened'],
        [['superseded'], 'superseded'],
      ],
      malformed: [['open'], ['incomplete']],
    },
  ),
  scriptCase(
    'end-opening',
    endOpening,
    { keys, token: 't1' },
    { words: [2, opening, loading, 't1'], understood: [[['ended'], undefined]], malformed: [['end']] },
  ),
  scriptCase(
    'apply-edit',
    applyEdit,
    { keys, server: 'run1', coupon: { version: 3, totalQuantity: null, startMs: 100, endMs: 200, paused: true } },
    {
      words: [2, state, owners, 'run1', 3, -1, 100, 200, 1],
      understood: [
        [['applied'], { kind: 'applied' }],
        [['same'], { kind: 'same' }],
        [['not open'], { kind: 'not open' }],
        [['different', 4], { kind: 'different', version: 4 }],
      ],
      malformed: [['different'], ['other version']],
    },
  ),
  scriptCase(
    'lower-total',
    lowerTotal,
    { keys, server: 'run1', version: 3, total: 7 },
    {
      words: [2, state, owners, 'run1', 3, 7],
      understood: [
        [['lowered'], { kind: 'lowered' }],
        [['other version'], { kind: 'other version' }],
        [['not open'], { kind: 'not open' }],
        [['issued', 8], { kind: 'issued', issued: 8 }],
      ],
      malformed: [['issued'], ['applied']],
    },
  ),
  scriptCase(
    'remove-unissued',
    removeUnissued,
    { keys, server: 'run1' },
    {
      words: [3, state, owners, opening, 'run1'],
      understood: [
        [['removed'], { kind: 'removed' }],
        [['not open'], { kind: 'not open' }],
        [['issued', 1], { kind: 'issued', issued: 1 }],
      ],
      malformed: [['issued'], ['closed']],
    },
  ),
  scriptCase(
    'close',
    close,
    { keys, epoch: 3 },
    {
      words: [3, state, owners, opening, 3],
      understood: [
        [['closed'], 'closed'],
        [['changed'], 'changed'],
      ],
      malformed: [['removed']],
    },
  ),
  scriptCase(
    'hold',
    hold,
    { keys },
    {
      words: [5, state, owners, opening, 'coupon:{2}:6:offers', 'coupon:{2}:6:lost'],
      understood: [
        [['removed'], 'removed'],
        [['held'], 'held'],
        [['gone'], 'gone'],
      ],
      malformed: [['closed']],
    },
  ),
];

/** What no script ever answers. */
const alwaysMalformed = [null, undefined, 'OK', 1, {}, [], [[]], [['open']], [true]];

describe.each([...cases])('$name', ({ run, words, understood, malformed }) => {
  test('is called with its keys and arguments, in their order', async () => {
    expect((await run(understood[0]?.[0])).words).toEqual([words]);
  });

  test('every reply that it knows is understood', async () => {
    const results = await Promise.all(understood.map(async ([reply]) => (await run(reply)).result));
    expect(results).toEqual(understood.map(([, result]) => result));
  });

  test('every other reply breaks an invariant', async () => {
    for (const reply of [...alwaysMalformed, ...malformed]) {
      const failure: unknown = await run(reply).catch((error: unknown) => error);
      expect({ reply, isViolation: failure instanceof InvariantViolation }).toEqual({ reply, isViolation: true });
    }
  });
});
