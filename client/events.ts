// events.ts -- The progress of a coupon as an async iterator: server-sent events, with a new connection whenever the stream ends.
//
// `EventSource` can send no token and is not on every runtime, so the stream is read here. There is no limit to the connections while
// they bring progress; after `attemptsMax` in a row that brought none the iterator ends with the reason. The server ends each stream
// after a while with the event `renew`: the next connection is no retry, and its id keeps the place among the listeners.

import { type Progress, readProgress } from './answers.ts';
import {
  type Ambiguous,
  ambiguousResult,
  backoffMsAfter,
  type CallOptions,
  type ClientContext,
  type FailedAttempt,
  headersOf,
  NO_RESPONSE,
  readFailure,
  type Refused,
} from './request.ts';

/** Progress, which is complete in itself; or, as the last event, why there is no more. */
export type ProgressEvent = { readonly kind: 'progress'; readonly progress: Progress } | Refused | Ambiguous;

/** The server sends something every 15 seconds: a connection that is silent for so long is dead. */
const SILENCE_MS_MAX = 40_000;
/** Between a stream that the server renews and the next. */
const RENEW_MS = 100;
/** Characters of one event; it has about two hundred. */
const EVENT_CHARACTERS_MAX = 65_536;

/** Follows a coupon until the loop is left, the signal is aborted, the server refuses, or no connection brings progress. */
export async function* followProgress(
  couponId: number,
  context: ClientContext,
  { signal, onRetry }: CallOptions,
): AsyncGenerator<ProgressEvent, void> {
  let fruitless = 0;
  let last: FailedAttempt = NO_RESPONSE;
  let placeId: string | undefined;
  for (let attempts = 0; ; ) {
    if (signal?.aborted) {
      yield ambiguousResult('aborted', attempts, last);
      return;
    }
    attempts += 1;
    last = NO_RESPONSE;
    // Outside of `try`: a token that HTTP cannot carry is a mistake in the caller's program.
    const headers = headersOf({ headers: { accept: 'text/event-stream', 'last-event-id': placeId } }, context);
    // Ends the connection however this loop is left.
    const connection = new AbortController();
    const disconnect = () => connection.abort();
    signal?.addEventListener('abort', disconnect);
    const received = new Set<StreamEvent['kind']>();
    try {
      const opened = await open({ couponId, headers }, context, connection);
      if (!(opened instanceof Response)) last = opened;
      else {
        for await (const event of eventsIn(opened, connection)) {
          received.add(event.kind);
          if (event.kind === 'renew') placeId = event.placeId;
          else {
            fruitless = 0;
            yield event;
          }
        }
      }
    } catch (cause) {
      last = { ...NO_RESPONSE, cause };
    } finally {
      signal?.removeEventListener('abort', disconnect);
      connection.abort();
    }
    if (signal?.aborted) continue;
    // Without progress it is an attempt as any other, so that a server that only renews is given up.
    if (received.has('renew') && received.has('progress')) {
      await context.pause(RENEW_MS, signal);
      continue;
    }
    if (last.kind === 'refused' && last.problem.status !== 429) {
      yield { ...last, afterAmbiguous: false, attempts };
      return;
    }
    fruitless += 1;
    if (fruitless >= context.bounds.attemptsMax) {
      yield ambiguousResult('bounds', attempts, last);
      return;
    }
    await context.pause(backoffMsAfter(fruitless, last.retryAfterMs, context), signal);
    if (!signal?.aborted) onRetry?.();
  }
}

async function open(
  { couponId, headers }: { readonly couponId: number; readonly headers: Headers },
  context: ClientContext,
  connection: AbortController,
): Promise<Response | FailedAttempt> {
  const timer = setTimeout(() => connection.abort(), context.bounds.attemptMsMax);
  try {
    const response = await context.fetch(`${context.root}/v1/coupons/${couponId}/events`, {
      headers,
      signal: connection.signal,
      redirect: 'error',
    });
    return response.ok ? response : await readFailure(response);
  } finally {
    clearTimeout(timer);
  }
}

type StreamEvent =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'renew'; readonly placeId: string | undefined };

/** The events of a stream, until it ends. Throws when it breaks, is silent for too long, or is no stream of events. */
async function* eventsIn(response: Response, connection: AbortController): AsyncGenerator<StreamEvent, void> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const timer = setTimeout(() => connection.abort(new Error('the stream was silent for too long')), SILENCE_MS_MAX);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const events = (rest + value).split('\n\n');
    rest = events.pop() ?? '';
    if (rest.length > EVENT_CHARACTERS_MAX) throw new Error('an event is too long');
    for (const text of events) {
      const event = readEvent(text);
      if (event) yield event;
    }
  }
}

/** An event; null for comments and for events of other names. */
function readEvent(text: string): StreamEvent | null {
  const lines = text.split('\n');
  const valueOf = (field: string) => lines.find((line) => line.startsWith(`${field}: `))?.slice(field.length + 2);
  const name = valueOf('event');
  if (name === 'renew') return { kind: 'renew', placeId: valueOf('id') };
  const data = valueOf('data');
  if (name !== 'progress' || data === undefined) return null;
  const progress = readProgress(JSON.parse(data));
  return progress && { kind: 'progress', progress };
}
