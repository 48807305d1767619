// Shows that a closed sign refuses only what is surely to be refused, and comes down in time.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { RefusalCache, type RefusalCacheBounds, type Clock } from '../../src/issuing/refusal-cache.ts';
import type { Inspection } from '../../src/stock/snapshot.ts';
import { type Outcome, type Refusal, refusal } from '../../src/coupon/outcome.ts';
import { quiet } from './event-loop.ts';

const wide: RefusalCacheBounds = { signMsMax: 1000, signsMax: 100, ownersMax: 1000, skewMsMax: 200 };
const soldOut = refusal['sold out'];

/** A clock that stands still until it is moved. */
class FakeClock implements Clock {
  ms = 0;
  elapsedMs(): number {
    return this.ms;
  }
  /** The time of day runs with the other clock, from an instant of its own. */
  nowMs(): number {
    return 5_000_000 + this.ms;
  }
}

/** Signs over coupons that a test describes, with a count of what was asked. */
function hangSigns(changes: Partial<RefusalCacheBounds> = {}) {
  const clock = new FakeClock();
  const found = new Map<number, Inspection | Promise<Inspection>>();
  const faults: unknown[] = [];
  const asked = { inspections: 0, loads: 0 };
  const inspect = async (couponId: number): Promise<Inspection> => {
    asked.inspections += 1;
    return (await found.get(couponId)) ?? { kind: 'other' };
  };
  const signs = new RefusalCache(inspect, { ...wide, ...changes }, (fault) => faults.push(fault), clock);
  const sellOut = (couponId: number, edition: string, owners: readonly string[], between?: () => void) => {
    found.set(couponId, {
      kind: 'sold out',
      edition,
      count: owners.length,
      owners: async function* () {
        asked.loads += 1;
        await Promise.resolve();
        for (const owner of owners) yield [owner];
        between?.();
      },
    });
  };
  /** Notes an outcome of now, and waits until its sign hangs, or never will. */
  const note = async (couponId: number, outcome: Outcome) => {
    signs.note(couponId, outcome, signs.drops);
    await quiet();
  };
  const refused = (...couponIds: number[]) => couponIds.map((id) => signs.refuse(id, 'nobody') !== null);
  return { clock, found, faults, asked, signs, sellOut, note, refused };
}

describe('what is refused', () => {
  test('nobody is refused before anything was noted', () => {
    expect(hangSigns().signs.refuse(1, 'alice')).toBeNull();
  });

  test.each(['paused', 'ended', 'not exist'] as const)('`%s` hangs at once, for everybody', (kind) => {
    const { signs, asked } = hangSigns();
    signs.note(1, refusal[kind], signs.drops);
    expect(signs.refuse(1, 'alice')).toEqual({ kind });
    expect(asked).toEqual({ inspections: 0, loads: 0 });
  });

  test.each([
    { kind: 'issued', sequence: 1 },
    { kind: 'already issued', sequence: 1 },
  ] as const)('`$kind` hangs no sign', async (outcome) => {
    const { note, refused, asked } = hangSigns();
    await note(1, outcome);
    expect({ refused: refused(1), asked }).toEqual({ refused: [false], asked: { inspections: 0, loads: 0 } });
  });

  test('a sign is about its coupon alone', async () => {
    const { note, refused } = hangSigns();
    await note(1, refusal.paused);
    expect(refused(1, 2)).toEqual([true, false]);
  });

  test('of a sold-out coupon no owner is refused, since he must hear that he has it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { maxLength: 50 }), async (owners) => {
        const { signs, sellOut, note } = hangSigns();
        sellOut(1, 'first', owners);
        await note(1, soldOut);
        expect(owners.filter((owner) => signs.refuse(1, owner) !== null)).toEqual([]);
        // A capital letter: nobody of the owners.
        expect(signs.refuse(1, 'NOBODY')).toEqual(soldOut);
      }),
      { numRuns: 30 },
    );
  });

  test('no sign hangs when the coupon turns out not to be sold out', async () => {
    const { note, refused } = hangSigns();
    await note(1, soldOut);
    expect(refused(1)).toEqual([false]);
  });

  test('no sign hangs when the coupon changed while its owners were loaded', async () => {
    const { sellOut, note, refused } = hangSigns();
    sellOut(1, 'first', ['alice'], () => sellOut(1, 'second', ['alice', 'bob']));
    await note(1, soldOut);
    expect(refused(1)).toEqual([false]);
    await note(1, soldOut);
    expect(refused(1)).toEqual([true]);
  });

  test('a failed look is told, hangs nothing, and is tried again', async () => {
    const { found, faults, sellOut, note, refused } = hangSigns();
    const fault = new Error('Redis is away');
    const failed = Promise.reject<Inspection>(fault);
    failed.catch(() => {});
    found.set(1, failed);
    await note(1, soldOut);
    expect({ faults, refused: refused(1) }).toEqual({ faults: [fault], refused: [false] });
    sellOut(1, 'first', []);
    await note(1, soldOut);
    expect(refused(1)).toEqual([true]);
  });

  test('outcomes that come while a look is under way start no other', async () => {
    const { signs, asked, sellOut } = hangSigns();
    sellOut(1, 'first', ['alice']);
    for (let i = 0; i < 10; i++) signs.note(1, soldOut, signs.drops);
    await quiet();
    // Once before the owners are loaded, and once after.
    expect(asked).toEqual({ inspections: 2, loads: 1 });
  });
});

describe('how long a sign hangs', () => {
  const kinds: [name: string, outcome: Refusal][] = [
    ['ended', refusal.ended],
    ['sold out', soldOut],
  ];

  test.each(kinds)('`%s` hangs for `signMsMax` and no longer', async (_, outcome) => {
    const { clock, sellOut, note, refused } = hangSigns();
    sellOut(1, 'first', []);
    await note(1, outcome);
    clock.ms = 999;
    expect(refused(1)).toEqual([true]);
    clock.ms = 1000;
    expect(refused(1)).toEqual([false]);
    clock.ms = 0;
    expect(refused(1)).toEqual([false]);
  });

  test('the age of a sold-out sign counts from the decision, not from the end of the look', async () => {
    const { clock, found, sellOut, signs, note, refused } = hangSigns();
    const { promise, resolve } = Promise.withResolvers<Inspection>();
    found.set(1, promise);
    await note(1, soldOut);
    clock.ms = 700;
    sellOut(1, 'first', []);
    resolve({ kind: 'sold out', edition: 'first', count: 0, owners: async function* () {} });
    await quiet();
    expect(signs.refuse(1, 'nobody')).toEqual(soldOut);
    clock.ms = 1000;
    expect(refused(1)).toEqual([false]);
  });

  test('`not started` comes down before the start, by as much as the clocks may differ', async () => {
    const { clock, found, note, refused } = hangSigns();
    found.set(1, { kind: 'not started', startMs: clock.nowMs() + 600 });
    await note(1, refusal['not started']);
    clock.ms = 399;
    expect(refused(1)).toEqual([true]);
    clock.ms = 400;
    expect(refused(1)).toEqual([false]);
  });

  test('`not started` hangs for `signMsMax` when the start is far', async () => {
    const { clock, found, note, refused } = hangSigns();
    found.set(1, { kind: 'not started', startMs: clock.nowMs() + 1_000_000 });
    await note(1, refusal['not started']);
    clock.ms = 999;
    expect(refused(1)).toEqual([true]);
    clock.ms = 1000;
    expect(refused(1)).toEqual([false]);
  });

  test('`not started` does not hang so near the start that clocks may differ about it', async () => {
    const { clock, found, note, refused } = hangSigns();
    found.set(1, { kind: 'not started', startMs: clock.nowMs() + 200 });
    await note(1, refusal['not started']);
    expect(refused(1)).toEqual([false]);
  });
});

describe('edits', () => {
  test('a drop takes down the sign of its coupon alone', async () => {
    const { signs, note, refused } = hangSigns();
    await note(1, refusal.ended);
    await note(2, refusal.ended);
    signs.drop(1);
    expect(refused(1, 2)).toEqual([false, true]);
  });

  test('a drop of everything takes every sign down', async () => {
    const { signs, sellOut, note, refused } = hangSigns();
    sellOut(2, 'first', ['alice']);
    await note(1, refusal.ended);
    await note(2, soldOut);
    signs.dropAll();
    expect(refused(1, 2)).toEqual([false, false]);
  });

  test.each([
    ['of the coupon', (signs: RefusalCache) => signs.drop(1)],
    ['of everything', (signs: RefusalCache) => signs.dropAll()],
  ])('what was decided before a drop %s is not hung after it', async (_, drop) => {
    const { signs, sellOut, refused } = hangSigns();
    sellOut(2, 'first', []);
    const { drops } = signs;
    drop(signs);
    signs.note(1, refusal.paused, drops);
    signs.note(2, soldOut, drops);
    await quiet();
    expect(refused(1, 2)).toEqual([false, false]);
  });

  test('what was looked up before a drop is not hung after it', async () => {
    const { signs, sellOut, note, refused } = hangSigns();
    sellOut(1, 'first', ['alice'], () => signs.drop(1));
    await note(1, soldOut);
    expect(refused(1)).toEqual([false]);
  });

  test('a not-started coupon that was edited during the look gets no sign', async () => {
    const { clock, signs, found, note, refused } = hangSigns();
    const { promise, resolve } = Promise.withResolvers<Inspection>();
    found.set(1, promise);
    await note(1, refusal['not started']);
    signs.drop(1);
    resolve({ kind: 'not started', startMs: clock.nowMs() + 1_000_000 });
    await quiet();
    expect(refused(1)).toEqual([false]);
  });
});

describe('owners', () => {
  test('a sign that is renewed keeps its owners, as long as the edition is the same', async () => {
    const { clock, asked, sellOut, note, refused, signs } = hangSigns();
    sellOut(1, 'first', ['alice']);
    for (let renewal = 0; renewal < 5; renewal++) {
      await note(1, soldOut);
      expect({ refused: refused(1), alice: signs.refuse(1, 'alice') }).toEqual({ refused: [true], alice: null });
      clock.ms += 1000;
      expect(refused(1)).toEqual([false]);
    }
    expect(asked.loads).toBe(1);
  });

  test('another edition has other owners, which are loaded', async () => {
    const { clock, asked, sellOut, note, signs } = hangSigns();
    sellOut(1, 'first', ['alice']);
    await note(1, soldOut);
    clock.ms += 1000;
    expect(signs.refuse(1, 'bob')).toBeNull();
    sellOut(1, 'second', ['alice', 'bob']);
    await note(1, soldOut);
    expect([signs.refuse(1, 'alice'), signs.refuse(1, 'bob'), signs.refuse(1, 'carol')]).toEqual([null, null, soldOut]);
    expect(asked.loads).toBe(2);
  });

  test('owners are loaded anew after a drop', async () => {
    const { asked, signs, sellOut, note } = hangSigns();
    sellOut(1, 'first', ['alice']);
    await note(1, soldOut);
    signs.drop(1);
    await note(1, soldOut);
    expect(asked.loads).toBe(2);
  });
});

describe('bounds', () => {
  test('beyond `signsMax` the oldest sign gives way', async () => {
    const { note, refused } = hangSigns({ signsMax: 3 });
    for (const couponId of [1, 2, 3, 4]) await note(couponId, refusal.ended);
    expect(refused(1, 2, 3, 4)).toEqual([false, true, true, true]);
  });

  test('beyond `signsMax` looks under way no other begins', async () => {
    const { found, asked, note } = hangSigns({ signsMax: 3 });
    for (const couponId of [1, 2, 3, 4]) {
      found.set(couponId, Promise.withResolvers<Inspection>().promise);
      await note(couponId, soldOut);
    }
    expect(asked.inspections).toBe(3);
  });

  test('a coupon with more than `ownersMax` owners gets no sign, and its owners are not loaded', async () => {
    const { asked, sellOut, note, refused } = hangSigns({ ownersMax: 2 });
    sellOut(1, 'first', ['a', 'b', 'c']);
    sellOut(2, 'first', ['a', 'b']);
    await note(1, soldOut);
    await note(2, soldOut);
    expect({ refused: refused(1, 2), loads: asked.loads }).toEqual({ refused: [false, true], loads: 1 });
  });

  test('`ownersMax` holds over all coupons: the oldest owners give way, with their sign', async () => {
    const { sellOut, note, refused } = hangSigns({ ownersMax: 4 });
    for (const couponId of [1, 2, 3]) {
      sellOut(couponId, 'first', ['a', 'b']);
      await note(couponId, soldOut);
    }
    expect(refused(1, 2, 3)).toEqual([false, true, true]);
  });

  test('owners that are just being loaded count too: the next are not loaded beside them', async () => {
    const { found, sellOut, note, refused, asked } = hangSigns({ ownersMax: 3 });
    const loading = Promise.withResolvers<void>();
    sellOut(1, 'first', ['a', 'b']);
    const first = await found.get(1);
    if (first?.kind !== 'sold out') throw new Error('it was just sold out');
    const owners = async function* () {
      await loading.promise;
      yield* first.owners();
    };
    found.set(1, { ...first, owners });
    sellOut(2, 'first', ['c', 'd']);
    await note(1, soldOut);
    await note(2, soldOut);
    expect({ refused: refused(1, 2), ...asked }).toEqual({ refused: [false, false], loads: 0, inspections: 2 });
    loading.resolve();
    await quiet();
    expect({ refused: refused(1, 2), loads: asked.loads }).toEqual({ refused: [true, false], loads: 1 });
    await note(2, soldOut);
    expect({ refused: refused(1, 2), loads: asked.loads }).toEqual({ refused: [false, true], loads: 2 });
  });

  test('owners that were dropped count no more', async () => {
    const { signs, sellOut, note, refused } = hangSigns({ ownersMax: 4 });
    for (const couponId of [1, 2]) {
      sellOut(couponId, 'first', ['a', 'b']);
      await note(couponId, soldOut);
    }
    signs.drop(1);
    sellOut(3, 'first', ['a', 'b']);
    await note(3, soldOut);
    expect(refused(1, 2, 3)).toEqual([false, true, true]);
  });

  test('owners of an edition that is over count no more', async () => {
    const { clock, sellOut, note, refused } = hangSigns({ ownersMax: 4 });
    for (const edition of ['first', 'second']) {
      sellOut(1, edition, ['a', 'b']);
      await note(1, soldOut);
      clock.ms += 1000;
      expect(refused(1)).toEqual([false]);
    }
    await note(1, soldOut);
    sellOut(2, 'first', ['a', 'b']);
    await note(2, soldOut);
    expect(refused(1, 2)).toEqual([true, true]);
  });
});
