// webhooks.ts -- The loop of the worker that delivers to webhooks: under a lease it gives events their order, looks which coupons have
// something to deliver, and has each webhook delivered to on its own, so that a slow receiver holds up nobody else.
//
// Nothing here is awaited by the ledger: it has connections of its own, and what fails is tried again in the next round.

import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../src/config/config.ts';
import type { Database } from '../src/mysql/database.ts';
import { endLease, takeLease } from '../src/mysql/lease.ts';
import type { ReadCertainSequence } from '../src/webhooks/certain-sequence.ts';
import { deliver, type DeliveryObserver } from '../src/webhooks/delivering.ts';
import { readCursors, readTargets, removeOld, type Target } from '../src/webhooks/delivery-store.ts';
import { orderEvents } from '../src/webhooks/outbox.ts';
import { type Progress, progressPages } from '../src/webhooks/progress.ts';

export interface WebhookObserver extends DeliveryObserver {
  /** The webhooks as this worker sees them; none while another one delivers. */
  webhooks(targets: readonly Target[]): void;
}

export interface WebhookDependencies {
  /** Of its own: deliveries take no connection from the ledger. */
  readonly database: Database;
  readonly readCertain: ReadCertainSequence;
  readonly settings: Pick<
    Config,
    | 'WEBHOOK_PRIVATE'
    | 'WEBHOOK_MS_MAX'
    | 'WEBHOOK_EVENTS_MAX'
    | 'WEBHOOK_RETRY_S_MAX'
    | 'WEBHOOK_FAILING_H_MAX'
    | 'WEBHOOK_POLL_MS'
    | 'WEBHOOK_DAYS'
    | 'WORKER_NAME'
  >;
  readonly observer: WebhookObserver;
  /** A round failed, or the deliveries to one webhook; the next round starts over. */
  readonly onFault: (fault: unknown) => void;
  readonly stop: AbortSignal;
}

const LEASE_NAME = 'webhooks';
/** The pause is so many times as long as the round, so that the reading of many coupons is no load. */
const PAUSE_ROUNDS = 3;
const REMOVE_EVERY_MS = 60_000;

/** Delivers until stopped. */
export async function keepDelivering(dependencies: WebhookDependencies): Promise<void> {
  const { database, settings, observer, onFault, stop } = dependencies;
  const state = createState(settings);
  while (!stop.aborted) {
    const startMs = performance.now();
    await runRound(dependencies, state).catch(onFault);
    const busyMs = performance.now() - startMs;
    const pauseMs = Math.max(settings.WEBHOOK_POLL_MS, busyMs * PAUSE_ROUNDS);
    await pause(Math.min(pauseMs, state.leaseMs / 4), undefined, { signal: stop }).catch(() => undefined);
  }
  await Promise.all(state.running.values());
  observer.webhooks([]);
  await endLease(database, LEASE_NAME, state.owner).catch(onFault);
}

type State = ReturnType<typeof createState>;

function createState({ WORKER_NAME, WEBHOOK_MS_MAX: requestMsMax }: WebhookDependencies['settings']) {
  return {
    // So that a worker that was killed goes on as soon as it is there again.
    owner: WORKER_NAME,
    requestMsMax,
    /** Longer than a request and a few rounds. */
    leaseMs: requestMsMax * 2 + 10_000,
    /** Until when the lease is held, by `performance.now()`. */
    heldUntilMs: 0,
    running: new Map<number, Promise<void>>(),
    /** The coupon whose delivery failed last, by webhook: the others come first the next time. */
    failedAt: new Map<number, number>(),
    removedMs: Number.NEGATIVE_INFINITY,
  };
}

async function runRound(dependencies: WebhookDependencies, state: State): Promise<void> {
  const { database, settings, observer } = dependencies;
  if (!(await renew(database, state))) return observer.webhooks([]);
  const targets = await readTargets(database);
  observer.webhooks(targets);
  if (performance.now() - state.removedMs > REMOVE_EVERY_MS) {
    state.removedMs = performance.now();
    // Without webhooks the outbox is kept for what may be happening while the first one is made.
    const hours = targets.length === 0 ? 1 : settings.WEBHOOK_DAYS * 24;
    while ((await removeOld(database, hours)) && (await renew(database, state)));
  }
  // Without webhooks nothing is read of coupons.
  if (targets.length === 0) return;
  await orderEvents(database);
  const due = targets.filter(({ id, isDue }) => isDue && !state.running.has(id));
  const work = new Map(due.map(({ id }) => [id, [] as number[]]));
  for await (const page of progressPages(database)) {
    if (!(await renew(database, state))) return;
    await addWork(database, due, page, work);
  }
  for (const [id, couponIds] of work) if (couponIds.length > 0) start(dependencies, state, id, couponIds);
}

/** Which coupons of a page have something for which webhook. */
async function addWork(
  database: Database,
  due: readonly Target[],
  page: readonly Progress[],
  work: ReadonlyMap<number, number[]>,
): Promise<void> {
  const [first, last] = [page[0], page.at(-1)];
  if (!first || !last || due.length === 0) return;
  const cursors = await readCursors(database, first.couponId, last.couponId);
  const cursorOf = new Map(cursors.map((cursor) => [`${cursor.webhookId} ${cursor.couponId}`, cursor]));
  for (const { id, kinds } of due) {
    for (const { couponId, sequence, position } of page) {
      const cursor = cursorOf.get(`${id} ${couponId}`) ?? { sequence: 0, position: 0 };
      const isBehind = kinds.includes('issue.created') && sequence > cursor.sequence;
      if (isBehind || position > cursor.position) work.get(id)?.push(couponId);
    }
  }
}

function start(dependencies: WebhookDependencies, state: State, id: number, couponIds: readonly number[]): void {
  const failedAt = state.failedAt.get(id) ?? 0;
  const inTurn = [...couponIds.filter((each) => each > failedAt), ...couponIds.filter((each) => each <= failedAt)];
  // A request must end while the lease is held.
  const mayBegin = () => performance.now() + state.requestMsMax < state.heldUntilMs;
  const run = async () => {
    try {
      const failed = await deliver({ ...dependencies, mayBegin }, id, inTurn);
      if (failed === null) state.failedAt.delete(id);
      else state.failedAt.set(id, failed);
    } catch (fault) {
      dependencies.onFault(fault);
    } finally {
      state.running.delete(id);
    }
  };
  state.running.set(id, run());
}

async function renew(database: Database, state: State): Promise<boolean> {
  const askedMs = performance.now();
  // Renewed long before it ends, and not with each page.
  if (state.heldUntilMs - askedMs > state.leaseMs * 0.9) return true;
  const isHeld = await takeLease(database, LEASE_NAME, state.owner, state.leaseMs);
  state.heldUntilMs = isHeld ? askedMs + state.leaseMs : 0;
  return isHeld;
}
