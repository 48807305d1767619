// The contract at the head of `combiner.ts`, one check for each sentence; each is run on the combiner and on planted bugs.
import { expect } from 'bun:test';
import fc from 'fast-check';
import { InvariantViolation } from '../../src/invariant.ts';
import type { BatchReport, CombinerBounds, DecideBatch } from '../../src/issuing/combiner.ts';
import { Unavailable } from '../../src/coupon/outcome.ts';
import { quiet } from './event-loop.ts';

/** Objects, so that a test can check whether they are still held. */
export interface Key {
  readonly name: string;
}

/** What the contract is about. */
export interface CombinerLike {
  submit(key: Key, request: number): Promise<string>;
  load(): { readonly waiting: number; readonly batchesInFlight: number };
  drain(): Promise<void>;
}

export type MakeCombiner = (
  decide: DecideBatch<Key, number, string>,
  bounds: CombinerBounds,
  report?: (report: BatchReport) => void,
) => CombinerLike;

export interface Sentence {
  readonly sentence: string;
  /** Throws when the combiners of `make` break it. */
  readonly check: (make: MakeCombiner) => Promise<void>;
}

const hot: Key = { name: 'hot' };
const cold: Key = { name: 'cold' };
const one = { usersPerBatchMax: 100, batchesInFlightMax: 1, waitingMax: 100 };
const outcomeOf = (request: number) => `outcome of ${request}`;

/** Decisions that end when a test says so, and the results of what was submitted. */
class Desk {
  readonly batches: { key: Key; requests: readonly number[]; end: () => void; fail: (failure: Error) => void }[] = [];
  readonly results = new Map<number, string | Error>();
  readonly #combiner: CombinerLike;

  constructor(make: MakeCombiner, bounds: CombinerBounds) {
    this.#combiner = make((key, requests) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
      this.batches.push({ key, requests: [...requests], end: () => resolve(requests.map(outcomeOf)), fail: reject });
      return promise;
    }, bounds);
  }

  submit(key: Key, ...requests: number[]): void {
    for (const request of requests) {
      this.#combiner.submit(key, request).then(
        (outcome) => this.results.set(request, outcome),
        (failure: unknown) => this.results.set(request, failure instanceof Error ? failure : new Error('no error')),
      );
    }
  }

  drain(): Promise<void> {
    return this.#combiner.drain();
  }

  load() {
    return this.#combiner.load();
  }

  /** The requests of each batch so far. */
  requests(): (readonly number[])[] {
    return this.batches.map(({ requests }) => requests);
  }

  /** Ends a batch, by its place, and waits for what follows from it. */
  async end(place: number, failure?: Error): Promise<void> {
    const batch = this.batches[place];
    expect(batch).toBeDefined();
    if (failure) batch?.fail(failure);
    else batch?.end();
    await quiet();
  }

  /** The results of requests; null for one that has none. */
  resultsOf(...requests: number[]): (string | Error | null)[] {
    return requests.map((request) => this.results.get(request) ?? null);
  }
}

/** A rush: who asks for what, between which other things, and which batches fail. */
const rush = fc.record({
  keys: fc.array(fc.constantFrom(hot, cold), { minLength: 1, maxLength: 25 }),
  usersPerBatchMax: fc.integer({ min: 1, max: 4 }),
  batchesInFlightMax: fc.integer({ min: 1, max: 3 }),
  failing: fc.func(fc.boolean()),
});

async function anyInterleaving(make: MakeCombiner): Promise<void> {
  const property = fc.asyncProperty(fc.scheduler(), rush, async (scheduler, { keys, failing, ...bounds }) => {
    const batches: { key: Key; requests: readonly number[] }[] = [];
    const inFlight = new Map<Key, number>();
    const count = (key: Key, change: number) => inFlight.set(key, (inFlight.get(key) ?? 0) + change);
    const combiner = make(
      async (key, requests) => {
        batches.push({ key, requests: [...requests] });
        count(key, 1);
        expect(inFlight.get(key)).toBeLessThanOrEqual(bounds.batchesInFlightMax);
        await scheduler.schedule(Promise.resolve(), `batch ${requests.join(' ')}`);
        count(key, -1);
        if (failing(requests[0])) throw new Error(`failure of ${requests.join(' ')}`);
        return requests.map(outcomeOf);
      },
      { ...bounds, waitingMax: keys.length },
    );
    const results: (string | null)[] = keys.map(() => null);
    for (const [request, key] of keys.entries()) {
      void scheduler.schedule(Promise.resolve(), `request ${request}`).then(async () => {
        results[request] = await combiner.submit(key, request).catch(String);
      });
    }
    await scheduler.waitIdle();
    await quiet();
    const expected = keys.map((_, request) => {
      const mine = batches.filter(({ requests }) => requests.includes(request));
      expect(mine).toHaveLength(1);
      const requests = mine[0]?.requests ?? [];
      return failing(requests[0]) ? `Error: failure of ${requests.join(' ')}` : outcomeOf(request);
    });
    expect(results).toEqual(expected);
  });
  await fc.assert(property);
}

async function orderOfArrival(make: MakeCombiner): Promise<void> {
  const property = fc.asyncProperty(
    fc.scheduler(),
    rush,
    async (scheduler, { keys, usersPerBatchMax, batchesInFlightMax }) => {
      const decided = new Map<Key, number[]>();
      const combiner = make(
        async (key, requests) => {
          decided.set(key, [...(decided.get(key) ?? []), ...requests]);
          expect(requests.length).toBeLessThanOrEqual(usersPerBatchMax);
          await scheduler.schedule(Promise.resolve());
          return requests.map(outcomeOf);
        },
        { usersPerBatchMax, batchesInFlightMax, waitingMax: keys.length },
      );
      const answers = Promise.all(keys.map((key, request) => combiner.submit(key, request)));
      expect(await scheduler.waitFor(answers)).toEqual(keys.map((_key, request) => outcomeOf(request)));
      for (const [key, requests] of decided)
        expect(requests).toEqual(keys.flatMap((each, request) => (each === key ? [request] : [])));
    },
  );
  await fc.assert(property);
}

/** How many of a thousand keys are still held after all their requests were answered. */
async function heldKeys(make: MakeCombiner): Promise<number> {
  const combiner = make((_, requests) => Promise.resolve(requests.map(outcomeOf)), one);
  const submitAll = async () => {
    const keys = Array.from({ length: 1000 }, (_, i): Key => ({ name: `key ${i}` }));
    await Promise.all(keys.map((key, i) => combiner.submit(key, i)));
    return keys.map((key) => new WeakRef(key));
  };
  const references = await submitAll();
  const held = () => references.filter((reference) => reference.deref() !== undefined).length;
  // The collector may find a few on the stack; it gets several chances.
  for (let i = 0; i < 20 && held() > 10; i++) {
    await quiet();
    Bun.gc(true);
  }
  // The combiner itself must outlive the count.
  expect(combiner.load()).toEqual({ waiting: 0, batchesInFlight: 0 });
  return held();
}

export const contract: readonly Sentence[] = [
  {
    sentence:
      'every request gets exactly one outcome, its own, or the failure of its batch, however batches interleave',
    check: anyInterleaving,
  },
  {
    sentence: 'outcomes come in the order of the requests, and batches hold them in order of arrival',
    check: orderOfArrival,
  },
  {
    sentence: 'with no load a request goes straight through',
    check: async (make) => {
      const desk = new Desk(make, one);
      desk.submit(hot, 1);
      // Nothing was waited for.
      expect(desk.requests()).toEqual([[1]]);
      await desk.end(0);
    },
  },
  {
    sentence: 'requests that arrive while a decision is under way go together into the next one',
    check: async (make) => {
      const desk = new Desk(make, one);
      desk.submit(hot, 1, 2, 3, 4);
      await desk.end(0);
      expect(desk.requests()).toEqual([[1], [2, 3, 4]]);
    },
  },
  {
    sentence: 'a batch has at most `usersPerBatchMax` requests',
    check: async (make) => {
      const desk = new Desk(make, { ...one, usersPerBatchMax: 2 });
      desk.submit(hot, 1, 2, 3, 4, 5, 6);
      for (const place of [0, 1, 2, 3]) await desk.end(place);
      expect(desk.requests()).toEqual([[1], [2, 3], [4, 5], [6]]);
    },
  },
  {
    sentence: 'a key has at most `batchesInFlightMax` batches under way',
    check: async (make) => {
      const desk = new Desk(make, { ...one, batchesInFlightMax: 2 });
      desk.submit(hot, 1, 2, 3, 4);
      expect(desk.requests()).toEqual([[1], [2]]);
      expect(desk.load()).toEqual({ waiting: 2, batchesInFlight: 2 });
      await desk.end(1);
      expect(desk.requests()).toEqual([[1], [2], [3, 4]]);
    },
  },
  {
    sentence: 'beyond `waitingMax` waiting requests of a key the next is refused before anything is decided',
    check: async (make) => {
      const desk = new Desk(make, { ...one, waitingMax: 2 });
      desk.submit(hot, 1, 2, 3, 4);
      desk.submit(cold, 5);
      await quiet();
      const [result] = desk.resultsOf(4);
      expect(result).toBeInstanceOf(Unavailable);
      expect(result).toMatchObject({ reason: 'overloaded' });
      expect(desk.requests()).toEqual([[1], [5]]);
      await desk.end(0);
      await desk.end(2);
      expect(desk.requests()).toEqual([[1], [5], [2, 3]]);
      expect(desk.resultsOf(1, 2, 3)).toEqual([1, 2, 3].map(outcomeOf));
    },
  },
  {
    sentence: 'a batch that fails answers every one of its waiters, and no other',
    check: async (make) => {
      const desk = new Desk(make, one);
      desk.submit(hot, 1, 2, 3, 4);
      desk.submit(cold, 5);
      await desk.end(0);
      desk.submit(hot, 6, 7);
      const failure = new Error('no MySQL');
      await desk.end(2, failure);
      expect(desk.requests()).toEqual([[1], [5], [2, 3, 4], [6, 7]]);
      expect(desk.resultsOf(1, 2, 3, 4)).toEqual([outcomeOf(1), failure, failure, failure]);
      expect(desk.resultsOf(5, 6, 7)).toEqual([null, null, null]);
    },
  },
  {
    sentence: 'after a batch that failed the next one goes on',
    check: async (make) => {
      const desk = new Desk(make, one);
      desk.submit(hot, 1, 2);
      await desk.end(0, new Error('no MySQL'));
      await desk.end(1);
      desk.submit(hot, 3);
      await desk.end(2);
      expect(desk.resultsOf(2, 3)).toEqual([2, 3].map(outcomeOf));
    },
  },
  {
    sentence: 'the next batch is on its way to the stores before the last one is answered',
    check: async (make) => {
      const events: string[] = [];
      const combiner = make(async (_, requests) => {
        // As a driver does: through promises, and ticks of the process.
        await Promise.resolve();
        await new Promise<void>((sent) => process.nextTick(sent));
        events.push(`sent ${requests.join(' ')}`);
        await quiet();
        return requests.map(outcomeOf);
      }, one);
      await Promise.all(
        [1, 2, 3].map((request) => combiner.submit(hot, request).then((outcome) => events.push(outcome))),
      );
      expect(events).toEqual(['sent 1', 'sent 2 3', ...[1, 2, 3].map(outcomeOf)]);
    },
  },
  {
    sentence: 'a decision that gives too few or too many outcomes answers no request with the outcome of another',
    check: async (make) => {
      for (const outcomes of [[], ['a', 'b']]) {
        const combiner = make(() => Promise.resolve(outcomes), one);
        const result: unknown = await combiner.submit(hot, 1).catch((failure: unknown) => failure);
        expect(result).toBeInstanceOf(InvariantViolation);
      }
    },
  },
  {
    sentence: 'keys do not wait for one another',
    check: async (make) => {
      const desk = new Desk(make, one);
      desk.submit(hot, 1, 2);
      desk.submit(cold, 3);
      expect(desk.batches.map(({ key, requests }) => [key.name, requests])).toEqual([
        ['hot', [1]],
        ['cold', [3]],
      ]);
      await desk.end(1);
      expect(desk.resultsOf(1, 2, 3)).toEqual([null, null, outcomeOf(3)]);
    },
  },
  {
    sentence: 'an idle key costs no memory',
    check: async (make) => expect(await heldKeys(make)).toBeLessThanOrEqual(10),
  },
  {
    sentence: 'a decision that is made and not yet answered still keeps `drain` waiting',
    check: async (make) => {
      const events: string[] = [];
      // Decided immediately, so that two batches are about to be answered at the same time.
      const combiner = make((_, requests) => Promise.resolve(requests.map(outcomeOf)), one);
      const answers = [1, 2, 3].map((request) => combiner.submit(hot, request).then((outcome) => events.push(outcome)));
      await Promise.all([...answers, combiner.drain().then(() => events.push('drained'))]);
      expect(events).toEqual([...[1, 2, 3].map(outcomeOf), 'drained']);
    },
  },
  {
    sentence: '`drain` refuses new requests, and returns when every accepted one is answered',
    check: async (make) => {
      const desk = new Desk(make, one);
      desk.submit(hot, 1, 2);
      desk.submit(cold, 3);
      let drained = false;
      const draining = desk.drain().then(() => {
        drained = true;
      });
      desk.submit(hot, 4);
      await desk.end(0);
      await desk.end(1);
      expect(desk.resultsOf(1, 2, 3, 4)).toMatchObject([outcomeOf(1), null, outcomeOf(3), { reason: 'stopping' }]);
      expect(drained).toBe(false);
      await desk.end(2);
      expect(desk.resultsOf(2)).toEqual([outcomeOf(2)]);
      expect(drained).toBe(true);
      await draining;
      expect(desk.requests()).toEqual([[1], [3], [2]]);
    },
  },
];
