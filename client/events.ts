// events.ts -- The progress of a coupon as an async iterator: server-sent events, connected again whenever the stream ends.
//
// `EventSource` can send no token and is not on every runtime, so the stream is read here. It is connected again for ever while
// it brings something; after `triesMax` connections in a row that brought nothing it ends with why.

import { type Progress, readProgress } from './answers.ts';
import {
  type CallOptions,
  headersOf,
  pauseMsAfter,
  readRefusal,
  type Refused,
  type ClientContext,
  type FailedAttempt,
  type Unknown,
} from './exchange.ts';

/** One turn of the iterator: a picture, each of which stands for itself; or, as the last one, why there are no more. */
export type ProgressEvent = { readonly kind: 'progress'; readonly progress: Progress } | Refused | Unknown;

/** The server says something every 15 seconds: a connection that is silent for so long is dead. */
const SILENCE_MS_MAX = 40_000;
/** Characters of one event; it has about two hundred. */
const EVENT_CHARACTERS_MAX = 65_536;

/** Follows a coupon until the loop is left, the signal is aborted, the server refuses, or nothing comes any more. */
export async function* followProgress(
  couponId: number,
  terms: ClientContext,
  { signal, onAgain }: CallOptions,
): AsyncGenerator<ProgressEvent, void> {
  let fruitless = 0;
  let last: FailedAttempt = nothing(null);
  for (let tries = 0; ; ) {
    if (signal?.aborted) {
      yield unknownAfter('aborted', tries, last);
      return;
    }
    tries += 1;
    last = nothing(null);
    // Outside of `try`: a token that HTTP cannot carry is a mistake in the caller's program.
    const headers = headersOf({ headers: { accept: 'text/event-stream' } }, terms);
    // Ends the connection however this loop is left.
    const connection = new AbortController();
    try {
      const opened = await open({ couponId, headers }, terms, connection, signal);
      if (!(opened instanceof Response)) last = opened;
      else {
        for await (const progress of progressIn(opened, connection)) {
          fruitless = 0;
          yield { kind: 'progress', progress };
        }
      }
    } catch (cause) {
      last = nothing(cause);
    } finally {
      connection.abort();
    }
    if (signal?.aborted) continue;
    if (last.kind === 'refused' && last.problem.status !== 429) {
      yield { ...last, afterAmbiguous: false, tries };
      return;
    }
    fruitless += 1;
    if (fruitless >= terms.bounds.triesMax) {
      yield unknownAfter('bounds', tries, last);
      return;
    }
    await terms.pause(pauseMsAfter(fruitless, last.retryAfterMs, terms), signal);
    if (!signal?.aborted) onAgain?.();
  }
}

async function open(
  { couponId, headers }: { readonly couponId: number; readonly headers: Headers },
  terms: ClientContext,
  connection: AbortController,
  signal: AbortSignal | undefined,
): Promise<Response | FailedAttempt> {
  const timer = setTimeout(() => connection.abort(), terms.bounds.tryMsMax);
  try {
    const response = await terms.fetch(`${terms.root}/v1/coupons/${couponId}/events`, {
      headers,
      signal: signal ? AbortSignal.any([signal, connection.signal]) : connection.signal,
      redirect: 'error',
    });
    return response.ok ? response : await readRefusal(response);
  } finally {
    clearTimeout(timer);
  }
}

/** The samples in a stream, until it ends. Throws when it breaks, is silent for too long, or is no stream of events. */
async function* progressIn(response: Response, connection: AbortController): AsyncGenerator<Progress, void> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const timer = setTimeout(() => connection.abort(new Error('the stream was silent for too long')), SILENCE_MS_MAX);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const events = (rest + value).split('\n\n');
    rest = events.pop() ?? '';
    if (rest.length > EVENT_CHARACTERS_MAX) throw new Error('an event has no end');
    for (const event of events) {
      const progress = progressOf(event);
      if (progress) yield progress;
    }
  }
}

/** The sample that an event holds; null for comments, and for events that are not ours. */
function progressOf(event: string): Progress | null {
  const lines = event.split('\n');
  if (!lines.includes('event: progress')) return null;
  const data = lines.find((line) => line.startsWith('data: '));
  return data === undefined ? null : readProgress(JSON.parse(data.slice('data: '.length)));
}

function nothing(cause: unknown): FailedAttempt {
  return { kind: 'unheard', problem: null, cause, retryAfterMs: null };
}

function unknownAfter(because: Unknown['because'], tries: number, last: FailedAttempt): Unknown {
  const { problem, retryAfterMs } = last;
  return { kind: 'unknown', because, tries, problem, cause: last.kind === 'unheard' ? last.cause : null, retryAfterMs };
}
