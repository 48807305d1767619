// constant-time-equal.test.ts -- Keys and signatures are compared with timingSafeEqual alone, which takes as long wherever they differ.

import * as crypto from 'node:crypto';
import { afterEach, describe, expect, type Mock, spyOn, test } from 'bun:test';
import { createAuthority, digestOf } from '../../src/auth/authority.ts';
import { fixedKeys, storedKey } from './fakes.ts';
import { sign, tokensWith, userOf } from './tokens.ts';

const KEY = 'ck_the-key-of-an-operator';
const digest = digestOf(KEY);

describe('nothing but this comparison decides', () => {
  let comparisons: Mock<typeof crypto.timingSafeEqual> | undefined;
  afterEach(() => comparisons?.mockRestore());
  const decides = (answer: boolean) => {
    comparisons = spyOn(crypto, 'timingSafeEqual').mockImplementation(() => answer);
  };

  test('a key is accepted exactly when it says so', () => {
    const keys = fixedKeys([storedKey(KEY, 'admin')]);
    const similar = `${digest.slice(0, 16)}${'0'.repeat(48)}`;
    decides(false);
    expect(keys.find(digest)).toBeNull();
    decides(true);
    expect(keys.find(similar)).not.toBeNull();
  });

  test('a token is accepted exactly when it says so', async () => {
    const tokens = tokensWith();
    const token = await sign();
    const forged = `${token.slice(0, -43)}${'A'.repeat(43)}`;
    decides(false);
    expect(await userOf(tokens, token)).toBe('invalid');
    decides(true);
    expect(await userOf(tokens, forged)).toBe('u1');
  });
});

test('only the digest of a key is compared', () => {
  const asked: string[] = [];
  const keys = {
    find: (sent: string) => {
      asked.push(sent);
      return null;
    },
    isEmpty: () => false,
  };
  const authority = createAuthority({ isOn: true, keys, tokens: null, retryAfterS: 1, onRefused: () => undefined });
  const request = new Request('http://localhost/', { headers: { authorization: `Bearer ${KEY}` } });
  void authority.admit(request, 'issue');
  authority.guard('read')(request);
  expect(asked).toEqual([digest, digest]);
});

describe('the comparison', () => {
  // So long that an early end would make one of two comparisons nearly free: thousands of times as fast, and not a few percent.
  const BYTES = 1 << 22;
  const secret = new Uint8Array(BYTES);
  const differingAt = (place: number) => {
    const guess = new Uint8Array(secret);
    guess[place] = 1;
    return guess;
  };

  test('says whether both are the same', () => {
    expect(crypto.timingSafeEqual(secret, new Uint8Array(secret))).toBe(true);
    for (const place of [0, BYTES / 2, BYTES - 1]) {
      expect(crypto.timingSafeEqual(secret, differingAt(place))).toBe(false);
    }
  });

  /** How many times as long a difference at the end takes as one at the beginning: the fastest of several tries, taken in turns. */
  const slowdown = (isSame: (one: Uint8Array, other: Uint8Array) => boolean) => {
    const guesses = [differingAt(0), differingAt(BYTES - 1)];
    const fastestMs = [Infinity, Infinity];
    for (let round = 0; round < 30; round += 1) {
      for (const [i, guess] of guesses.entries()) {
        const startMs = performance.now();
        isSame(secret, guess);
        fastestMs[i] = Math.min(fastestMs[i] ?? Infinity, performance.now() - startMs);
      }
    }
    const [first = 0, last = 0] = fastestMs;
    return last / first;
  };

  test('does the same work whether a guess differs in the first byte or the last', () => {
    expect(slowdown(crypto.timingSafeEqual)).toBeLessThan(10);
  });

  test('would be caught if it ended at the first difference', () => {
    expect(slowdown((one, other) => Buffer.compare(one, other) === 0)).toBeGreaterThan(10);
  });
});
