// combiner.ts -- Requests that arrive while a decision is under way wait for the next one, which then serves all of them.
//
// The contract, each sentence with a test of its own:
// - Every request gets exactly one outcome, its own, or the failure of its batch.
// - Outcomes come in the order of the requests; a batch holds its requests in order of arrival.
// - With no load a request goes straight through: there is no timer.
// - A batch has at most `usersPerBatchMax` requests, a key at most `batchesInFlightMax` batches under way.
// - Beyond `waitingMax` waiting requests of a key the next is refused before anything is decided.
// - A batch that fails answers every one of its waiters with the failure, and the next batch goes on.
// - The next batch is on its way to the stores before the last one is answered: they work while its answers are built.
// - Keys do not wait for one another, and an idle key costs no memory.
// - `close` refuses new requests and returns when every accepted one is answered.
//
// Known as flat combining (Hendler, Incze, Shavit, Tzafrir, SPAA 2010); databases call it group commit.

import { setImmediate } from 'node:timers/promises';
import { InvariantViolation } from '../invariant.ts';
import { Unavailable } from '../coupon/outcome.ts';

/** Decides one batch: one outcome per request, in the same order. */
export type DecideBatch<Key, Request, Outcome> = (
  key: Key,
  requests: readonly Request[],
) => Promise<readonly Outcome[]>;

/** What a batch was like, told once it is answered. Times of its decision, by `performance.now()`. */
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

interface Waiter<Request, Outcome> {
  readonly request: Request;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (failure: unknown) => void;
}

/** What a key has waiting and under way. */
interface Lane<Key, Request, Outcome> {
  readonly key: Key;
  waiting: Waiter<Request, Outcome>[];
  /** Being decided. */
  batchesInFlight: number;
  /** Being decided, or decided and about to be answered. */
  batchesUnanswered: number;
}

/** Combines requests per key. */
export class Combiner<Key, Request, Outcome> {
  readonly #decide: DecideBatch<Key, Request, Outcome>;
  readonly #bounds: CombinerBounds;
  readonly #report: (report: BatchReport) => void;
  readonly #lanes = new Map<Key, Lane<Key, Request, Outcome>>();
  #closed: (() => void) | null = null;

  constructor(
    decide: DecideBatch<Key, Request, Outcome>,
    bounds: CombinerBounds,
    report: (report: BatchReport) => void = () => {},
  ) {
    this.#decide = decide;
    this.#bounds = bounds;
    this.#report = report;
  }

  /**
   * Waits for the outcome of one request.
   *
   * @throws Unavailable `overloaded` or `stopping`: nothing was decided for it
   * @throws whatever the batch failed with
   */
  submit(key: Key, request: Request): Promise<Outcome> {
    if (this.#closed) return Promise.reject(new Unavailable('stopping', 'the server is stopping'));
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { key, waiting: [], batchesInFlight: 0, batchesUnanswered: 0 };
      this.#lanes.set(key, lane);
    } else if (lane.waiting.length >= this.#bounds.waitingMax) {
      return Promise.reject(new Unavailable('overloaded', 'too many users are waiting for this coupon'));
    }
    const { waiting } = lane;
    const answer = new Promise<Outcome>((resolve, reject) => waiting.push({ request, resolve, reject }));
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
  close(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#closed;
      this.#closed = () => {
        before?.();
        resolve();
      };
      if (this.#lanes.size === 0) this.#closed();
    });
  }

  #startBatches(lane: Lane<Key, Request, Outcome>): void {
    const { usersPerBatchMax, batchesInFlightMax } = this.#bounds;
    while (lane.waiting.length > 0 && lane.batchesInFlight < batchesInFlightMax) {
      const batch = lane.waiting.length <= usersPerBatchMax ? lane.waiting : lane.waiting.slice(0, usersPerBatchMax);
      lane.waiting = batch === lane.waiting ? [] : lane.waiting.slice(usersPerBatchMax);
      lane.batchesInFlight += 1;
      lane.batchesUnanswered += 1;
      void this.#run(lane, batch);
    }
  }

  async #run(lane: Lane<Key, Request, Outcome>, batch: readonly Waiter<Request, Outcome>[]): Promise<void> {
    const startedMs = performance.now();
    const answer = await this.#decideBatch(lane.key, batch);
    const endedMs = performance.now();
    lane.batchesInFlight -= 1;
    this.#startBatches(lane);
    // A driver hands its bytes to the kernel some promises after it was asked. Answers given now would go before, each with all
    // that its caller does, and the stores would wait for it: a turn of the event loop later, `/v1/issue` carries a quarter more.
    if (lane.batchesUnanswered > 1) await setImmediate();
    const failed = !answer();
    lane.batchesUnanswered -= 1;
    if (lane.batchesUnanswered === 0) this.#lanes.delete(lane.key);
    this.#report({ users: batch.length, failed, startedMs, endedMs });
    if (this.#closed && this.#lanes.size === 0) this.#closed();
  }

  /** Returns what answers every waiter of the batch, and tells then whether it was decided. */
  async #decideBatch(key: Key, batch: readonly Waiter<Request, Outcome>[]): Promise<() => boolean> {
    try {
      const requests = batch.map((waiter) => waiter.request);
      const outcomes = await this.#decide(key, requests);
      if (outcomes.length !== batch.length) throw new InvariantViolation('P3: a batch needs one outcome per request');
      return () => {
        for (let i = 0; i < batch.length; i++) batch[i]?.resolve(outcomes[i] as Outcome);
        return true;
      };
    } catch (failure) {
      return () => {
        for (const waiter of batch) waiter.reject(failure);
        return false;
      };
    }
  }
}
