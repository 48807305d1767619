// delivering.ts -- Delivers the events of some coupons to one webhook, one request at a time, until nothing is left or a request fails.
//
// At least once: the cursor moves after the receiver has answered 2xx, and only from where it was read, so that a replay in between
// wins. In order of each coupon: what fails is sent again before anything that follows it.

import type { Database } from '../mysql/database.ts';
import { nextBatch } from './batch.ts';
import type { ReadCertainSequence } from './certain-sequence.ts';
import { endFailures, keepResult, moveCursor, noteFailure, readTarget, type Target } from './delivery-store.ts';
import { messageOf, type WebhookEvent } from './events.ts';
import { type Answer, post } from './post.ts';
import { signedHeaders } from './signature.ts';

export interface DeliverySettings {
  readonly WEBHOOK_PRIVATE: 'on' | 'off';
  readonly WEBHOOK_MS_MAX: number;
  readonly WEBHOOK_EVENTS_MAX: number;
  readonly WEBHOOK_RETRY_S_MAX: number;
  readonly WEBHOOK_FAILING_H_MAX: number;
}

export interface DeliveryObserver {
  /** A request succeeded. */
  delivered(events: number): void;
  /** One failed. `end`: nothing more is tried. */
  failed(webhookId: number, error: string, end: 'failed' | 'gone' | null): void;
}

export interface DeliveryDependencies {
  readonly database: Database;
  readonly readCertain: ReadCertainSequence;
  readonly settings: DeliverySettings;
  readonly observer: DeliveryObserver;
  /** Aborted when the worker stops or no longer holds the lease. */
  readonly stop: AbortSignal;
  /** Whether a request may still be begun under the lease. */
  readonly mayBegin: () => boolean;
  readonly post?: typeof post;
}

/**
 * Delivers to a webhook, a batch of each coupon in turn, so that none waits for all of another.
 *
 * @returns the coupon whose request failed; null when none did
 * @throws what the stores throw
 */
export async function deliver(
  dependencies: DeliveryDependencies,
  webhookId: number,
  couponIds: readonly number[],
): Promise<number | null> {
  const { stop, mayBegin } = dependencies;
  let open = couponIds;
  while (open.length > 0) {
    const unfinished: number[] = [];
    for (const couponId of open) {
      if (stop.aborted || !mayBegin()) return null;
      const result = await deliverNext(dependencies, webhookId, couponId);
      if (result === 'failed') return couponId;
      if (result === 'stopped') return null;
      if (result === 'more') unfinished.push(couponId);
    }
    open = unfinished;
  }
  return null;
}

async function deliverNext(
  dependencies: DeliveryDependencies,
  webhookId: number,
  couponId: number,
): Promise<'more' | 'done' | 'failed' | 'stopped'> {
  const { database, readCertain, settings, observer, stop } = dependencies;
  const read = await readTarget(database, webhookId, couponId);
  // Paused or deleted meanwhile.
  if (!read?.target.isDue) return 'stopped';
  const { target, cursor } = read;
  const from = cursor ?? { sequence: 0, position: 0 };
  const eventsMax = settings.WEBHOOK_EVENTS_MAX;
  const reach = await readCertain(couponId, from.sequence, eventsMax);
  const { events, next } = await nextBatch(database, { couponId, kinds: target.kinds, cursor: from, reach, eventsMax });
  const isSame = next.sequence === from.sequence && next.position === from.position;
  if (isSame) return 'done';
  if (events.length > 0) {
    const answer = await send(dependencies, target, couponId, events);
    if (stop.aborted && answer.status === null) return 'stopped';
    if (answer.error !== null) {
      const end = endAfter(target, answer, settings);
      const pauseMs = Math.max(backoffMs(target.failures, settings.WEBHOOK_RETRY_S_MAX), answer.retryAfterMs ?? 0);
      await noteFailure(database, webhookId, answer.error, Math.min(pauseMs, DAY_MS), end);
      observer.failed(webhookId, answer.error, end);
      return 'failed';
    }
    observer.delivered(events.length);
    if (target.failures > 0) await endFailures(database, webhookId);
  }
  await moveCursor(database, webhookId, couponId, cursor, next);
  return 'more';
}

async function send(
  { database, settings, stop, ...dependencies }: DeliveryDependencies,
  { id: webhookId, url, secret }: Target,
  couponId: number,
  events: readonly WebhookEvent[],
): Promise<Answer> {
  const message = messageOf(couponId, events);
  const startMs = performance.now();
  const answer = await (dependencies.post ?? post)(url, message.body, signedHeaders(message, secret), {
    timeMsMax: settings.WEBHOOK_MS_MAX,
    isPrivateAllowed: settings.WEBHOOK_PRIVATE === 'on',
    signal: stop,
  });
  await keepResult(database, {
    webhookId,
    couponId,
    messageId: message.id,
    events: events.length,
    firstEvent: events[0]?.id ?? '',
    lastEvent: events.at(-1)?.id ?? '',
    status: answer.status,
    error: answer.error,
    durationMs: Math.round(performance.now() - startMs),
  });
  return answer;
}

/** 410 Gone ends the subscription, as the specification asks; what fails for days is left alone until an operator resumes it. */
function endAfter(target: Target, { status }: Answer, settings: DeliverySettings): 'failed' | 'gone' | null {
  if (status === 410) return 'gone';
  return target.failingS >= settings.WEBHOOK_FAILING_H_MAX * 3600 ? 'failed' : null;
}

const FIRST_PAUSE_MS = 1000;
const DAY_MS = 86_400_000;

/** Doubles with each failure up to a bound; the later half of it at random, so that webhooks of one receiver do not come together. */
export function backoffMs(failures: number, secondsMax: number, random: () => number = Math.random): number {
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures, 30), secondsMax * 1000);
  return (longest / 2) * (1 + random());
}
