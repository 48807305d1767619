// combiner.ts -- Requests that arrive while a decision is under way wait for the next one, which then serves all of them.
//
// The contract, each sentence with a test of its own:
// - Every request gets exactly one outcome, its own, or the failure of its batch.
// - Outcomes come in the order of the requests; a batch holds its requests in order of arrival.
// - With no load a request goes straight through: there is no timer.
// - A batch has at most `usersPerBatchMax` requests, a key at most `batchesInFlightMax` batches under way.
// - Beyond `waitingMax` waiting requests of a key the next is refused before anything is decided.
// - A batch that fails answers every one of its waiters with the failure, and the next batch goes on.
// - The next batch is on its way to the stores before the last one is settled: they work while its answers are built.
// - Keys do not wait for one another, and an idle key costs no memory.
// - `drain` refuses new requests and returns when every accepted one is answered.
//
// Known as flat combining (Hendler, Incze, Shavit, Tzafrir, SPAA 2010); databases call it group commit.

import { setImmediate } from 'node:timers/promises';
import { Unavailable } from '../coupon/outcome.ts';
import { InvariantViolation } from '../invariant.ts';

/** Decides one batch: one result per item, in the same order. */
export type DecideBatch<Key, Item, Result> = (key: Key, items: readonly Item[]) => Promise<readonly Result[]>;

/** What a batch was like, reported once it is settled. Times of its decision, by `performance.now()`. */
export interface BatchReport {
  /** How many requests it had. */
  readonly users: number;
  readonly failed: boolean;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Every bound of a combiner. */
export interface CombinerBounds {
  readonly usersPerBatchMax: number;
  readonly batchesInFlightMax: number;
  readonly waitingMax: number;
}

interface Waiter<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (failure: unknown) => void;
}

/** How a batch ended: a result for each of its waiters, or one failure for all of them. */
type BatchResult<Result> = { readonly results: readonly Result[] } | { readonly failure: unknown };

/** What a key has waiting and under way. */
interface Lane<Key, Item, Result> {
  readonly key: Key;
  waiting: Waiter<Item, Result>[];
  /** Being decided. */
  batchesInFlight: number;
  /** Being decided, or decided and about to be settled. */
  batchesUnsettled: number;
}

/** Combines requests per key. */
export class Combiner<Key, Item, Result> {
  readonly #decideBatch: DecideBatch<Key, Item, Result>;
  readonly #bounds: CombinerBounds;
  readonly #onBatch: (report: BatchReport) => void;
  readonly #lanes = new Map<Key, Lane<Key, Item, Result>>();
  /** Resolved when the last lane is gone; null until `drain` is called. */
  #drained: PromiseWithResolvers<void> | null = null;

  constructor(
    decideBatch: DecideBatch<Key, Item, Result>,
    bounds: CombinerBounds,
    onBatch: (report: BatchReport) => void = () => {},
  ) {
    this.#decideBatch = decideBatch;
    this.#bounds = bounds;
    this.#onBatch = onBatch;
  }

  /**
   * Waits for the result of one request.
   *
   * @throws Unavailable `overloaded` or `stopping`: nothing was decided for it
   * @throws whatever the batch failed with
   */
  submit(key: Key, item: Item): Promise<Result> {
    if (this.#drained) return Promise.reject(new Unavailable('stopping', 'the server is stopping'));
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { key, waiting: [], batchesInFlight: 0, batchesUnsettled: 0 };
      this.#lanes.set(key, lane);
    } else if (lane.waiting.length >= this.#bounds.waitingMax) {
      return Promise.reject(new Unavailable('overloaded', 'too many users are waiting for this coupon'));
    }
    const { waiting } = lane;
    const answer = new Promise<Result>((resolve, reject) => waiting.push({ item, resolve, reject }));
    this.#startBatches(lane);
    return answer;
  }

  /** Requests that wait, over all keys, and batches under way. */
  load(): { readonly waiting: number; readonly batchesInFlight: number } {
    let waiting = 0;
    let batchesInFlight = 0;
    for (const lane of this.#lanes.values()) {
      waiting += lane.waiting.length;
      batchesInFlight += lane.batchesInFlight;
    }
    return { waiting, batchesInFlight };
  }

  /** Refuses new requests from now on; resolves when every accepted one is answered. */
  drain(): Promise<void> {
    this.#drained ??= Promise.withResolvers<void>();
    if (this.#lanes.size === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  #startBatches(lane: Lane<Key, Item, Result>): void {
    const { usersPerBatchMax, batchesInFlightMax } = this.#bounds;
    while (lane.waiting.length > 0 && lane.batchesInFlight < batchesInFlightMax) {
      const batch = lane.waiting.length <= usersPerBatchMax ? lane.waiting : lane.waiting.slice(0, usersPerBatchMax);
      lane.waiting = batch === lane.waiting ? [] : lane.waiting.slice(usersPerBatchMax);
      lane.batchesInFlight += 1;
      lane.batchesUnsettled += 1;
      void this.#run(lane, batch);
    }
  }

  async #run(lane: Lane<Key, Item, Result>, batch: readonly Waiter<Item, Result>[]): Promise<void> {
    const startedMs = performance.now();
    const result = await this.#resultOf(lane.key, batch);
    const endedMs = performance.now();
    lane.batchesInFlight -= 1;
    this.#startBatches(lane);
    // A driver hands its bytes to the kernel some promises after the call. Answers given now would go first, each with all that its
    // caller does, and the stores would wait: a turn of the event loop later, `/v1/issue` carries a quarter more.
    if (lane.batchesUnsettled > 1) await setImmediate();
    settle(batch, result);
    lane.batchesUnsettled -= 1;
    if (lane.batchesUnsettled === 0) this.#lanes.delete(lane.key);
    this.#onBatch({ users: batch.length, failed: 'failure' in result, startedMs, endedMs });
    if (this.#lanes.size === 0) this.#drained?.resolve();
  }

  async #resultOf(key: Key, batch: readonly Waiter<Item, Result>[]): Promise<BatchResult<Result>> {
    try {
      const items = batch.map((waiter) => waiter.item);
      const results = await this.#decideBatch(key, items);
      if (results.length !== batch.length) throw new InvariantViolation('P3: a batch needs one outcome per request');
      return { results };
    } catch (failure) {
      return { failure };
    }
  }
}

/** Answers every waiter of a batch. */
function settle<Item, Result>(batch: readonly Waiter<Item, Result>[], result: BatchResult<Result>): void {
  if ('failure' in result) for (const waiter of batch) waiter.reject(result.failure);
  else for (let i = 0; i < batch.length; i++) batch[i]?.resolve(result.results[i] as Result);
}
