// Shows that the refusal cache refuses only what an issuer would refuse, and expires in time.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Clock, type ReadStock, RefusalCache, type RefusalCacheBounds } from '../../src/issuing/refusal-cache.ts';
import { type Outcome, type Refusal, refusal } from '../../src/coupon/outcome.ts';
import { quiet } from './event-loop.ts';

type Seen = Awaited<ReturnType<ReadStock>>;

const wide: RefusalCacheBounds = { ageMsMax: 1000, entriesMax: 100, ownersMax: 1000, skewMsMax: 200 };
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

/** A coupon that begins at an instant; it has no owners. */
const notStarted = (startMs: number) => {
  return { state: 'not started' as const, startMs, issued: 0, edition: '', owners: async function* () {} };
};

/** A cache over coupons that a test describes, with a count of what was read. */
function createCache(changes: Partial<RefusalCacheBounds> = {}) {
  const clock = new FakeClock();
  const found = new Map<number, Seen | Promise<Seen>>();
  const faults: unknown[] = [];
  const asked = { reads: 0, loads: 0 };
  const readStock = async (couponId: number): Promise<Seen> => {
    asked.reads += 1;
    return (await found.get(couponId)) ?? null;
  };
  const cache = new RefusalCache(readStock, { ...wide, ...changes }, (fault) => faults.push(fault), clock);
  const sellOut = (couponId: number, edition: string, owners: readonly string[], between?: () => void) => {
    found.set(couponId, {
      state: 'sold out',
      startMs: 0,
      issued: owners.length,
      edition,
      owners: async function* () {
        asked.loads += 1;
        await Promise.resolve();
        for (const owner of owners) yield [owner];
        between?.();
      },
    });
  };
  /** Notes an outcome of now, and waits until its entry is stored, or never will be. */
  const note = async (couponId: number, outcome: Outcome) => {
    cache.note(couponId, outcome, cache.invalidations);
    await quiet();
  };
  const refused = (...couponIds: number[]) => couponIds.map((id) => cache.refuse(id, 'nobody') !== null);
  return { clock, found, faults, asked, cache, sellOut, note, refused };
}

describe('what is refused', () => {
  test('no user is refused before anything is cached', () => {
    expect(createCache().cache.refuse(1, 'alice')).toBeNull();
  });

  test.each(['paused', 'ended', 'not exist'] as const)('`%s` is cached immediately, for every user', (kind) => {
    const { cache, asked } = createCache();
    cache.note(1, refusal[kind], cache.invalidations);
    expect(cache.refuse(1, 'alice')).toEqual({ kind });
    expect(asked).toEqual({ reads: 0, loads: 0 });
  });

  test.each([
    { kind: 'issued', sequence: 1 },
    { kind: 'already issued', sequence: 1 },
  ] as const)('`$kind` is not cached', async (outcome) => {
    const { note, refused, asked } = createCache();
    await note(1, outcome);
    expect({ refused: refused(1), asked }).toEqual({ refused: [false], asked: { reads: 0, loads: 0 } });
  });

  test('an entry is about its coupon alone', async () => {
    const { note, refused } = createCache();
    await note(1, refusal.paused);
    expect(refused(1, 2)).toEqual([true, false]);
  });

  test('of a sold-out coupon no owner is refused, since their answer is already issued', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { maxLength: 50 }), async (owners) => {
        const { cache, sellOut, note } = createCache();
        sellOut(1, 'first', owners);
        await note(1, soldOut);
        expect(owners.filter((owner) => cache.refuse(1, owner) !== null)).toEqual([]);
        // A capital letter: none of the owners.
        expect(cache.refuse(1, 'NOBODY')).toEqual(soldOut);
      }),
      { numRuns: 30 },
    );
  });

  test('nothing is stored when the coupon turns out not to be sold out', async () => {
    const { note, refused } = createCache();
    await note(1, soldOut);
    expect(refused(1)).toEqual([false]);
  });

  test('nothing is stored when the coupon changed while its owners were loaded', async () => {
    const { sellOut, note, refused } = createCache();
    sellOut(1, 'first', ['alice'], () => sellOut(1, 'second', ['alice', 'bob']));
    await note(1, soldOut);
    expect(refused(1)).toEqual([false]);
    await note(1, soldOut);
    expect(refused(1)).toEqual([true]);
  });

  test('a failed read is reported, stores nothing, and is tried again', async () => {
    const { found, faults, sellOut, note, refused } = createCache();
    const fault = new Error('Redis is away');
    const failed = Promise.reject<Seen>(fault);
    failed.catch(() => {});
    found.set(1, failed);
    await note(1, soldOut);
    expect({ faults, refused: refused(1) }).toEqual({ faults: [fault], refused: [false] });
    sellOut(1, 'first', []);
    await note(1, soldOut);
    expect(refused(1)).toEqual([true]);
  });

  test('outcomes that come during a read start no other', async () => {
    const { cache, asked, sellOut } = createCache();
    sellOut(1, 'first', ['alice']);
    for (let i = 0; i < 10; i++) cache.note(1, soldOut, cache.invalidations);
    await quiet();
    // Once before the owners are loaded, and once after.
    expect(asked).toEqual({ reads: 2, loads: 1 });
  });
});

describe('how long an entry lasts', () => {
  const kinds: [name: string, outcome: Refusal][] = [
    ['ended', refusal.ended],
    ['sold out', soldOut],
  ];

  test.each(kinds)('`%s` lasts for `ageMsMax` and no longer', async (_, outcome) => {
    const { clock, sellOut, note, refused } = createCache();
    sellOut(1, 'first', []);
    await note(1, outcome);
    clock.ms = 999;
    expect(refused(1)).toEqual([true]);
    clock.ms = 1000;
    expect(refused(1)).toEqual([false]);
    clock.ms = 0;
    expect(refused(1)).toEqual([false]);
  });

  test('the age of a sold-out entry counts from the decision, not from the end of the read', async () => {
    const { clock, found, sellOut, cache, note, refused } = createCache();
    const { promise, resolve } = Promise.withResolvers<Seen>();
    found.set(1, promise);
    await note(1, soldOut);
    clock.ms = 700;
    sellOut(1, 'first', []);
    resolve({ ...notStarted(0), state: 'sold out', edition: 'first' });
    await quiet();
    expect(cache.refuse(1, 'nobody')).toEqual(soldOut);
    clock.ms = 1000;
    expect(refused(1)).toEqual([false]);
  });

  test('`not started` expires before the start, by as much as the clocks may differ', async () => {
    const { clock, found, note, refused } = createCache();
    found.set(1, notStarted(clock.nowMs() + 600));
    await note(1, refusal['not started']);
    clock.ms = 399;
    expect(refused(1)).toEqual([true]);
    clock.ms = 400;
    expect(refused(1)).toEqual([false]);
  });

  test('`not started` lasts for `ageMsMax` when the start is far', async () => {
    const { clock, found, note, refused } = createCache();
    found.set(1, notStarted(clock.nowMs() + 1_000_000));
    await note(1, refusal['not started']);
    clock.ms = 999;
    expect(refused(1)).toEqual([true]);
    clock.ms = 1000;
    expect(refused(1)).toEqual([false]);
  });

  test('`not started` does not last so near the start that clocks may differ about it', async () => {
    const { clock, found, note, refused } = createCache();
    found.set(1, notStarted(clock.nowMs() + 200));
    await note(1, refusal['not started']);
    expect(refused(1)).toEqual([false]);
  });
});

describe('edits', () => {
  test('an invalidation removes the entry of its coupon alone', async () => {
    const { cache, note, refused } = createCache();
    await note(1, refusal.ended);
    await note(2, refusal.ended);
    cache.invalidate(1);
    expect(refused(1, 2)).toEqual([false, true]);
  });

  test('an invalidation of everything removes every entry', async () => {
    const { cache, sellOut, note, refused } = createCache();
    sellOut(2, 'first', ['alice']);
    await note(1, refusal.ended);
    await note(2, soldOut);
    cache.invalidateAll();
    expect(refused(1, 2)).toEqual([false, false]);
  });

  test.each([
    ['of the coupon', (cache: RefusalCache) => cache.invalidate(1)],
    ['of everything', (cache: RefusalCache) => cache.invalidateAll()],
  ])('what was decided before an invalidation %s is not stored after it', async (_, invalidate) => {
    const { cache, sellOut, refused } = createCache();
    sellOut(2, 'first', []);
    const { invalidations } = cache;
    invalidate(cache);
    cache.note(1, refusal.paused, invalidations);
    cache.note(2, soldOut, invalidations);
    await quiet();
    expect(refused(1, 2)).toEqual([false, false]);
  });

  test('what was read before an invalidation is not stored after it', async () => {
    const { cache, sellOut, note, refused } = createCache();
    sellOut(1, 'first', ['alice'], () => cache.invalidate(1));
    await note(1, soldOut);
    expect(refused(1)).toEqual([false]);
  });

  test('a not-started coupon that was edited during the read gets no entry', async () => {
    const { clock, cache, found, note, refused } = createCache();
    const { promise, resolve } = Promise.withResolvers<Seen>();
    found.set(1, promise);
    await note(1, refusal['not started']);
    cache.invalidate(1);
    resolve(notStarted(clock.nowMs() + 1_000_000));
    await quiet();
    expect(refused(1)).toEqual([false]);
  });
});

describe('owners', () => {
  test('an entry that is renewed keeps its owners, as long as the edition is the same', async () => {
    const { clock, asked, sellOut, note, refused, cache } = createCache();
    sellOut(1, 'first', ['alice']);
    for (let renewal = 0; renewal < 5; renewal++) {
      await note(1, soldOut);
      expect({ refused: refused(1), alice: cache.refuse(1, 'alice') }).toEqual({ refused: [true], alice: null });
      clock.ms += 1000;
      expect(refused(1)).toEqual([false]);
    }
    expect(asked.loads).toBe(1);
  });

  test('another edition has other owners, which are loaded', async () => {
    const { clock, asked, sellOut, note, cache } = createCache();
    sellOut(1, 'first', ['alice']);
    await note(1, soldOut);
    clock.ms += 1000;
    expect(cache.refuse(1, 'bob')).toBeNull();
    sellOut(1, 'second', ['alice', 'bob']);
    await note(1, soldOut);
    expect([cache.refuse(1, 'alice'), cache.refuse(1, 'bob'), cache.refuse(1, 'carol')]).toEqual([null, null, soldOut]);
    expect(asked.loads).toBe(2);
  });

  test('owners are loaded again after an invalidation', async () => {
    const { asked, cache, sellOut, note } = createCache();
    sellOut(1, 'first', ['alice']);
    await note(1, soldOut);
    cache.invalidate(1);
    await note(1, soldOut);
    expect(asked.loads).toBe(2);
  });
});

describe('bounds', () => {
  test('there are never more than `entriesMax` entries, and the newest half of them is there', async () => {
    const { note, refused } = createCache({ entriesMax: 8 });
    for (let couponId = 1; couponId <= 100; couponId += 1) await note(couponId, refusal.ended);
    const kept = refused(...Array.from({ length: 100 }, (_, i) => i + 1));
    expect(kept.filter(Boolean).length).toBeLessThanOrEqual(8);
    expect(kept.slice(-4)).toEqual([true, true, true, true]);
  });

  test('beyond `entriesMax` reads under way no other begins', async () => {
    const { found, asked, note } = createCache({ entriesMax: 3 });
    for (const couponId of [1, 2, 3, 4]) {
      found.set(couponId, Promise.withResolvers<Seen>().promise);
      await note(couponId, soldOut);
    }
    expect(asked.reads).toBe(3);
  });

  test('a coupon with more than `ownersMax` owners gets no entry, and its owners are not loaded', async () => {
    const { asked, sellOut, note, refused } = createCache({ ownersMax: 2 });
    sellOut(1, 'first', ['a', 'b', 'c']);
    sellOut(2, 'first', ['a', 'b']);
    await note(1, soldOut);
    await note(2, soldOut);
    expect({ refused: refused(1, 2), loads: asked.loads }).toEqual({ refused: [false, true], loads: 1 });
  });

  test('`ownersMax` holds over all coupons: the oldest owners are evicted, with their entry', async () => {
    const { sellOut, note, refused } = createCache({ ownersMax: 4 });
    for (const couponId of [1, 2, 3]) {
      sellOut(couponId, 'first', ['a', 'b']);
      await note(couponId, soldOut);
    }
    expect(refused(1, 2, 3)).toEqual([false, true, true]);
  });

  test('owners that are just being loaded count too: the next are not loaded beside them', async () => {
    const { found, sellOut, note, refused, asked } = createCache({ ownersMax: 3 });
    const loading = Promise.withResolvers<void>();
    sellOut(1, 'first', ['a', 'b']);
    const first = await found.get(1);
    if (first?.state !== 'sold out') throw new Error('it was just sold out');
    const owners = async function* () {
      await loading.promise;
      yield* first.owners();
    };
    found.set(1, { ...first, owners });
    sellOut(2, 'first', ['c', 'd']);
    await note(1, soldOut);
    await note(2, soldOut);
    expect({ refused: refused(1, 2), ...asked }).toEqual({ refused: [false, false], loads: 0, reads: 2 });
    loading.resolve();
    await quiet();
    expect({ refused: refused(1, 2), loads: asked.loads }).toEqual({ refused: [true, false], loads: 1 });
    await note(2, soldOut);
    expect({ refused: refused(1, 2), loads: asked.loads }).toEqual({ refused: [false, true], loads: 2 });
  });

  test('evicted owners no longer count', async () => {
    const { cache, sellOut, note, refused } = createCache({ ownersMax: 4 });
    for (const couponId of [1, 2]) {
      sellOut(couponId, 'first', ['a', 'b']);
      await note(couponId, soldOut);
    }
    cache.invalidate(1);
    sellOut(3, 'first', ['a', 'b']);
    await note(3, soldOut);
    expect(refused(1, 2, 3)).toEqual([false, true, true]);
  });

  test('owners of an outdated edition no longer count', async () => {
    const { clock, sellOut, note, refused } = createCache({ ownersMax: 4 });
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

test('refusals of coupons that do not exist evict no other, and are as bounded', async () => {
  const { cache, note, refused } = createCache({ entriesMax: 8 });
  await note(1, { kind: 'paused' });
  const ids = Array.from({ length: 100 }, (_, i) => i + 10);
  for (const id of ids) await note(id, { kind: 'not exist' });
  const kept = refused(...ids);
  expect(kept.filter(Boolean).length).toBeLessThanOrEqual(8);
  expect([...refused(1), ...kept.slice(-4)]).toEqual([true, true, true, true, true]);
  cache.invalidateAll();
  expect(refused(1, 109)).toEqual([false, false]);
});
