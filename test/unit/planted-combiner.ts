// A small combiner with a bug on demand, to show that the checks of the contract would notice each of them.
import { InvariantViolation } from '../../src/invariant.ts';
import type { CombinerBounds, DecideBatch } from '../../src/issuing/combiner.ts';
import { Unavailable } from '../../src/coupon/outcome.ts';
import type { CombinerLike, Key } from './combiner-contract.ts';

/** Each bug, and the beginning of the sentence that it breaks. */
export const bugs = {
  'outcomes are mixed up': 'outcomes come in the order',
  'the newest go first': 'outcomes come in the order',
  'a request is decided twice': 'every request gets exactly one',
  'a request without load waits for a timer': 'with no load',
  'every request is a batch': 'requests that arrive while',
  'a batch takes all that wait': 'a batch has at most',
  'batches start as they come': 'a key has at most',
  'the queue has no end': 'beyond `waitingMax`',
  'a failure answers the first waiter alone': 'a batch that fails',
  'a failure answers all who wait': 'a batch that fails',
  'a failure stops the key': 'after a batch that failed',
  'answers go before the next batch': 'the next batch is on its way',
  'outcomes are not counted': 'a decision that gives too few',
  'all keys share a lane': 'keys do not wait',
  'idle keys are kept': 'an idle key',
  'what is decided counts as answered': 'a decision that is made',
  'a draining combiner accepts': '`drain` refuses',
  'draining does not wait': '`drain` refuses',
  'draining forgets who waits': '`drain` refuses',
} as const;

export type Bug = keyof typeof bugs;

interface Waiter {
  readonly key: Key;
  readonly request: number;
  readonly resolve: (outcome: string) => void;
  readonly reject: (failure: unknown) => void;
}

interface Lane {
  waiting: Waiter[];
  inFlight: number;
  unanswered: number;
}

const shared: Key = { name: 'shared' };

export class PlantedCombiner implements CombinerLike {
  readonly #bug: Bug | null;
  readonly #decide: DecideBatch<Key, number, string>;
  readonly #bounds: CombinerBounds;
  readonly #lanes = new Map<Key, Lane>();
  readonly #onIdle: (() => void)[] = [];
  #isDraining = false;

  /** @param bug null for a combiner that is right */
  constructor(bug: Bug | null, decide: DecideBatch<Key, number, string>, bounds: CombinerBounds) {
    this.#bug = bug;
    this.#decide = decide;
    this.#bounds = bounds;
  }

  submit(key: Key, request: number): Promise<string> {
    if (this.#isDraining && this.#bug !== 'a draining combiner accepts')
      return Promise.reject(new Unavailable('stopping', 'stopping'));
    const laneKey = this.#bug === 'all keys share a lane' ? shared : key;
    const lane = this.#lanes.get(laneKey) ?? { waiting: [], inFlight: 0, unanswered: 0 };
    this.#lanes.set(laneKey, lane);
    const isFull = lane.inFlight > 0 && lane.waiting.length >= this.#bounds.waitingMax;
    if (isFull && this.#bug !== 'the queue has no end') return Promise.reject(new Unavailable('overloaded', 'full'));
    return new Promise((resolve, reject) => {
      const waiter = { key, request, resolve, reject };
      if (this.#bug === 'the newest go first') lane.waiting.unshift(waiter);
      else lane.waiting.push(waiter);
      if (this.#bug === 'a request without load waits for a timer') setTimeout(() => this.#start(laneKey, lane), 0);
      else this.#start(laneKey, lane);
    });
  }

  load() {
    const lanes = [...this.#lanes.values()];
    return {
      waiting: lanes.reduce((sum, { waiting }) => sum + waiting.length, 0),
      batchesInFlight: lanes.reduce((sum, { inFlight }) => sum + inFlight, 0),
    };
  }

  drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#bug === 'draining forgets who waits') for (const lane of this.#lanes.values()) lane.waiting = [];
    if (this.#bug === 'draining does not wait' || this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #isIdle(): boolean {
    return [...this.#lanes.values()].every(({ unanswered, inFlight }) =>
      this.#bug === 'what is decided counts as answered' ? inFlight === 0 : unanswered === 0,
    );
  }

  #start(laneKey: Key, lane: Lane): void {
    const { usersPerBatchMax, batchesInFlightMax } = this.#bounds;
    const inFlightMax = this.#bug === 'batches start as they come' ? Infinity : batchesInFlightMax;
    const sizes: Partial<Record<Bug, number>> = {
      'every request is a batch': 1,
      'a batch takes all that wait': Infinity,
    };
    const size = (this.#bug && sizes[this.#bug]) ?? usersPerBatchMax;
    while (lane.waiting.length > 0 && lane.inFlight < inFlightMax) {
      const batch = lane.waiting.splice(0, size);
      lane.inFlight += 1;
      lane.unanswered += 1;
      void this.#run(laneKey, lane, batch);
    }
  }

  async #run(laneKey: Key, lane: Lane, batch: readonly Waiter[]): Promise<void> {
    const { answer, isFailed } = await this.#decideBatch(lane, batch);
    const isEarly = this.#bug === 'answers go before the next batch';
    if (isEarly) answer();
    lane.inFlight -= 1;
    if (!isFailed || this.#bug !== 'a failure stops the key') this.#start(laneKey, lane);
    if (lane.unanswered > 1) await new Promise((resolve) => setImmediate(resolve));
    if (!isEarly) answer();
    lane.unanswered -= 1;
    if (lane.unanswered === 0 && this.#bug !== 'idle keys are kept') this.#lanes.delete(laneKey);
    if (this.#isIdle()) for (const resolve of this.#onIdle) resolve();
  }

  async #decideBatch(lane: Lane, batch: readonly Waiter[]): Promise<{ answer: () => void; isFailed: boolean }> {
    const [first] = batch;
    if (!first) return { answer: () => {}, isFailed: false };
    try {
      const requests = batch.map(({ request }) => request);
      if (this.#bug === 'a request is decided twice') void this.#decide(first.key, requests).catch(() => null);
      const outcomes = await this.#decide(first.key, requests);
      if (outcomes.length !== batch.length && this.#bug !== 'outcomes are not counted')
        throw new InvariantViolation('one outcome per request');
      const given = this.#bug === 'outcomes are mixed up' ? outcomes.toReversed() : outcomes;
      return { answer: () => batch.forEach(({ resolve }, i) => resolve(given[i] ?? '')), isFailed: false };
    } catch (failure) {
      const lost = this.#bug === 'a failure answers all who wait' ? lane.waiting.splice(0) : [];
      const answered = this.#bug === 'a failure answers the first waiter alone' ? [first] : [...batch, ...lost];
      return { answer: () => answered.forEach(({ reject }) => reject(failure)), isFailed: true };
    }
  }
}
