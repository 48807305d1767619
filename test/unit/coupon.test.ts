// Shows that the pure rules keep the promises for every stock and every batch: never too many, never twice, never outside the time.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { decide, checkPeriod, isUserId, lastSequence, type Stock, UNLIMITED } from '../../src/coupon/coupon.ts';
import { type Outcome, refusal } from '../../src/coupon/outcome.ts';

const open: Stock = { startMs: 100, endMs: 200, paused: false, next: 1, until: 3 };

/** Few users, so that batches repeat them. */
const user = fc.constantFrom<string[]>('a', 'b', 'c', 'd', 'e', 'f');

/** A stock and its owners, as some history left them: sequences below `next`, each of one user, perhaps with gaps. */
const history = fc
  .record({
    owned: fc.uniqueArray(user, { maxLength: 5 }),
    gap: fc.nat(3),
    left: fc.option(fc.nat(6)),
    startMs: fc.integer({ min: 0, max: 300 }),
    lengthMs: fc.integer({ min: 1, max: 100 }),
    paused: fc.boolean(),
  })
  .map(({ owned, gap, left, startMs, lengthMs, paused }) => {
    const next = owned.length + gap + 1;
    const total = left === null ? null : owned.length + left;
    const until = lastSequence(next, owned.length, total);
    const stock: Stock = { startMs, endMs: startMs + lengthMs, paused, next, until };
    return { stock, left, owners: new Map(owned.map((name, i) => [name, i + gap + 1])) };
  });
const situation = fc.record({
  history,
  users: fc.array(user, { minLength: 1, maxLength: 12 }),
  nowMs: fc.integer({ min: 0, max: 400 }),
});

/** The rules again, one user after the other, in the words of the design. */
function decideOneByOne(stock: Stock, owners: ReadonlyMap<string, number>, users: readonly string[], nowMs: number) {
  const known = new Map(owners);
  let { next } = stock;
  return users.map((name): Outcome => {
    if (stock.paused) return { kind: 'paused' };
    if (nowMs < stock.startMs) return { kind: 'not started' };
    if (nowMs >= stock.endMs) return { kind: 'ended' };
    const sequence = known.get(name);
    if (sequence !== undefined) return { kind: 'already issued', sequence };
    if (stock.until !== UNLIMITED && next > stock.until) return { kind: 'sold out' };
    known.set(name, next);
    next += 1;
    return { kind: 'issued', sequence: next - 1 };
  });
}

const sequencesOf = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap((outcome) => (outcome.kind === 'issued' ? [outcome.sequence] : []));

describe('decide', () => {
  test('a batch has the outcomes that its users would have one after the other', () => {
    fc.assert(
      fc.property(situation, ({ history: { stock, owners }, users, nowMs }) => {
        expect(decide(stock, owners, users, nowMs).outcomes).toEqual(decideOneByOne(stock, owners, users, nowMs));
      }),
    );
  });

  test('a batch has the same outcomes however it is split in two', () => {
    fc.assert(
      fc.property(situation, fc.nat(12), ({ history: { stock, owners }, users, nowMs }, cut) => {
        const first = decide(stock, owners, users.slice(0, cut), nowMs);
        const after = new Map([...owners, ...first.taken.map((name, i) => [name, stock.next + i] as const)]);
        const then = { ...stock, next: stock.next + first.taken.length };
        const second = decide(then, after, users.slice(cut), nowMs);
        const whole = decide(stock, owners, users, nowMs);
        expect([...first.outcomes, ...second.outcomes]).toEqual([...whole.outcomes]);
        expect([...first.taken, ...second.taken]).toEqual([...whole.taken]);
      }),
    );
  });

  test('P1: never more are issued than are left, and no sequence is beyond `until`', () => {
    fc.assert(
      fc.property(situation, ({ history: { stock, owners, left }, users, nowMs }) => {
        const sequences = sequencesOf(decide(stock, owners, users, nowMs).outcomes);
        if (left === null) return;
        expect(sequences.length).toBeLessThanOrEqual(left);
        expect(sequences.filter((sequence) => sequence > stock.until)).toEqual([]);
      }),
    );
  });

  test('P2: no user is issued twice, and an owner gets their sequence', () => {
    fc.assert(
      fc.property(situation, ({ history: { stock, owners }, users, nowMs }) => {
        const { outcomes, taken } = decide(stock, owners, users, nowMs);
        expect(new Set<string>(taken).size).toBe(taken.length);
        expect(taken.filter((name) => owners.has(name))).toEqual([]);
        if (checkPeriod(stock, nowMs)) return;
        const duplicates = outcomes.flatMap((outcome, i) => {
          const sequence = owners.get(users[i] ?? '');
          return sequence === undefined ? [] : [{ outcome, sequence }];
        });
        expect(duplicates.map(({ outcome }) => outcome)).toEqual(
          duplicates.map(({ sequence }) => ({ kind: 'already issued', sequence })),
        );
      }),
    );
  });

  test('P3: sequences are given without a gap, in order, to the users in `taken`', () => {
    fc.assert(
      fc.property(situation, ({ history: { stock, owners }, users, nowMs }) => {
        const { outcomes, taken } = decide(stock, owners, users, nowMs);
        expect(sequencesOf(outcomes)).toEqual(taken.map((_, i) => stock.next + i));
        expect(users.filter((_, i) => outcomes[i]?.kind === 'issued')).toEqual([...taken]);
      }),
    );
  });

  test('P4: `sold out` is said only when everything that was left is given', () => {
    fc.assert(
      fc.property(situation, ({ history: { stock, owners, left }, users, nowMs }) => {
        const { outcomes, taken } = decide(stock, owners, users, nowMs);
        if (outcomes.some(({ kind }) => kind === 'sold out')) expect(taken).toHaveLength(left ?? -1);
      }),
    );
  });

  test('P5: nothing is issued outside the time or while paused', () => {
    fc.assert(
      fc.property(situation, ({ history: { stock, owners }, users, nowMs }) => {
        const { taken } = decide(stock, owners, users, nowMs);
        if (taken.length === 0) return;
        expect(stock.paused).toBe(false);
        expect(nowMs).toBeGreaterThanOrEqual(stock.startMs);
        expect(nowMs).toBeLessThan(stock.endMs);
      }),
    );
  });

  test('a user who occurs twice gets one outcome and one `already issued`', () => {
    expect(decide(open, new Map(), ['a', 'b', 'a'], 150)).toEqual({
      outcomes: [
        { kind: 'issued', sequence: 1 },
        { kind: 'issued', sequence: 2 },
        { kind: 'already issued', sequence: 1 },
      ],
      taken: ['a', 'b'],
    });
  });

  test('of a coupon that is gone an owner is answered already issued, and another user sold out', () => {
    expect(decide({ ...open, next: 4 }, new Map([['a', 2]]), ['b', 'a'], 150).outcomes).toEqual([
      refusal['sold out'],
      { kind: 'already issued', sequence: 2 },
    ]);
  });

  test('a coupon without limit is never sold out', () => {
    const users = Array.from({ length: 1000 }, (_, i) => `user-${i}`);
    expect(decide({ ...open, until: UNLIMITED, next: 10_000 }, new Map(), users, 150).taken).toEqual(users);
  });
});

describe('checkPeriod', () => {
  test('the period includes its start and excludes its end', () => {
    expect([99, 100, 199, 200].map((nowMs) => checkPeriod(open, nowMs))).toEqual([
      refusal['not started'],
      null,
      null,
      refusal.ended,
    ]);
  });

  test('paused takes precedence over the period', () => {
    const kinds = [99, 100, 200].map((nowMs) => checkPeriod({ ...open, paused: true }, nowMs)?.kind);
    expect(kinds).toEqual(['paused', 'paused', 'paused']);
  });

  test('the period takes precedence over owners and stock', () => {
    const gone = { ...open, next: 4 };
    for (const nowMs of [99, 200]) {
      const { outcomes } = decide(gone, new Map([['a', 1]]), ['a', 'b'], nowMs);
      expect(outcomes).toEqual([checkPeriod(gone, nowMs), checkPeriod(gone, nowMs)] as Outcome[]);
    }
  });
});

describe('lastSequence', () => {
  const count = fc.nat(1_000_000);

  test('from the next sequence to the last there are as many as are left', () => {
    fc.assert(
      fc.property(count, count, count, (gap, issued, total) => {
        const next = issued + gap + 1;
        expect(lastSequence(next, issued, total) - next + 1).toBe(Math.max(0, total - issued));
      }),
    );
  });

  test('without gaps it is the total', () => {
    fc.assert(
      fc.property(count, count, (issued, left) => {
        expect(lastSequence(issued + 1, issued, issued + left)).toBe(issued + left);
      }),
    );
  });

  test('no limit is `UNLIMITED`, and a limit never looks like it', () => {
    expect(lastSequence(5, 4, null)).toBe(UNLIMITED);
    fc.assert(
      fc.property(count, count, count, (gap, issued, total) => {
        expect(lastSequence(issued + gap + 1, issued, total)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('a user id', () => {
  const ofProviders = [
    'auth0|5f7c8ec7c33c6c004bbafe82',
    'google-oauth2|113456789012345678901',
    '001234.5678abcdef.0910',
    'f:5c1e2a3b-0d4f-4a6b:kim',
    'Zm9v+YmFy/YmF6==',
    'kim@example.com',
  ];
  test.each([...ofProviders, 'a', '0', '42', 'A-Z_9', '-', '_', '...', '.a', '..a', '%', 'x'.repeat(255)])(
    '%p is one',
    (text) => {
      expect(isUserId(text)).toBe(true);
    },
  );

  test.each([
    '',
    'x'.repeat(256),
    'a b',
    'a\n',
    '\na',
    'a}',
    '{1}',
    "a'",
    'a"',
    'a\\',
    'a,b',
    'ä',
    '.',
    '..',
    'a\0',
    'a\x7f',
    '４２',
  ])('%p is none', (text) => {
    expect(isUserId(text)).toBe(false);
  });
});
