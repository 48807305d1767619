// exchange.ts -- One request until its ending is known, within bounds; whoever calls is never told what nobody knows.
//
// - A timeout, a broken connection, a 408, a 5xx and a 2xx that cannot be read are indeterminate: what was asked may have been
//   done. Only what does no harm when it is done twice is retried.
// - 429 says that nothing was done, and is asked again always.
// - Pauses grow, and chance spreads them, so that a crowd that was turned away together does not come back together.
//   `Retry-After` is waited for in full, or the exchange ends at once when its time does not allow for that.

import { type Problem, readProblem } from './answers.ts';

/** How an exchange ended. It is never an exception. */
export type RequestResult<Value> =
  | { readonly kind: 'done'; readonly value: Value; readonly isReplayed: boolean }
  | Refused
  | Unknown;

/** The server has decided against it. */
export interface Refused {
  readonly kind: 'refused';
  readonly problem: Problem;
  /** When the server said that it may be asked again. */
  readonly retryAfterMs: number | null;
  /** Whether an earlier try of this very call was indeterminate: then it may have succeeded, and this refusal be its echo. */
  readonly afterAmbiguous: boolean;
  /** How often it was asked. */
  readonly tries: number;
}

/** Nobody knows: what was asked may have been done. */
export interface Unknown {
  readonly kind: 'unknown';
  /** `aborted`: by the caller's signal. `refused`: a try was indeterminate, and the next one was refused without telling of it. */
  readonly because: 'aborted' | 'bounds' | 'refused';
  /** How often it was asked; 0: never, so that nothing was done. */
  readonly tries: number;
  /** What the last try brought: a problem, where there was an answer; else what broke. */
  readonly problem: Problem | null;
  readonly cause: unknown;
  readonly retryAfterMs: number | null;
}

/** What is asked. */
export interface RequestSpec<Value> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** From the root of the server, with its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Null: no answer of the server. `body` is null where there is none. */
  readonly read: (body: unknown) => Value | null;
  /** Whether it does no harm when it is done twice. */
  readonly isRepeatable: boolean;
  /** How long the server may take on purpose. */
  readonly waitMs?: number;
}

/** What a caller may say about one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Called before each further try. */
  readonly onAgain?: () => void;
}

/** The surroundings of every exchange. */
export interface ClientContext {
  /** Root of the server, without a slash at its end. */
  readonly root: string;
  readonly token: () => string | null;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Ends early, without an error, when the signal is aborted. */
  readonly pause: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly nowMs: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly bounds: Bounds;
}

export interface Bounds {
  readonly triesMax: number;
  /** For the whole exchange, pauses and all. */
  readonly timeMsMax: number;
  /** For one try. */
  readonly tryMsMax: number;
  /** The first pause, which then doubles. */
  readonly pauseMs: number;
  readonly pauseMsMax: number;
}

/** Asks until the ending is known, or the bounds are reached. Throws only for a token or header that HTTP cannot carry. */
export async function exchange<Value>(
  asked: RequestSpec<Value>,
  terms: ClientContext,
  { signal, onAgain }: CallOptions = {},
): Promise<RequestResult<Value>> {
  const { triesMax, timeMsMax } = terms.bounds;
  const endMs = terms.nowMs() + timeMsMax + (asked.waitMs ?? 0);
  let afterAmbiguous = false;
  let heard: Attempt<Value> = NO_RESPONSE;
  for (let tries = 0; ; ) {
    if (signal?.aborted) return unknown('aborted', tries, heard);
    heard = await askOnce(asked, terms, endMs - terms.nowMs(), signal);
    tries += 1;
    if (heard.kind === 'done') return heard;
    if (heard.kind === 'unheard') afterAmbiguous = true;
    else if (heard.problem.status !== 429) return { ...heard, afterAmbiguous, tries };
    if (signal?.aborted) return unknown('aborted', tries, heard);
    const pauseMs = pauseMsAfter(tries, heard.retryAfterMs, terms);
    const mayAskAgain = heard.kind === 'refused' || asked.isRepeatable;
    if (!mayAskAgain || tries >= triesMax || terms.nowMs() + pauseMs >= endMs) {
      return heard.kind === 'refused' ? { ...heard, afterAmbiguous, tries } : unknown('bounds', tries, heard);
    }
    await terms.pause(pauseMs, signal);
    if (!signal?.aborted) onAgain?.();
  }
}

/** How long to wait after so many tries: at least as long as the server says. */
export function pauseMsAfter(tries: number, retryAfterMs: number | null, { bounds, random }: ClientContext): number {
  const longestMs = Math.min(bounds.pauseMsMax, bounds.pauseMs * 2 ** (tries - 1));
  return (retryAfterMs ?? 0) + longestMs * (0.5 + random() / 2);
}

/** The headers of a request; who asks is asked for anew in every try, since tokens are renewed. */
export function headersOf(
  asked: Pick<RequestSpec<unknown>, 'body' | 'headers'>,
  terms: Pick<ClientContext, 'token'>,
): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(asked.headers ?? {})) if (value !== undefined) headers.set(name, value);
  if (asked.body !== undefined) headers.set('content-type', 'application/json');
  const token = terms.token();
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  return headers;
}

/** Reads an answer that is not 2xx. Throws when the connection breaks meanwhile. */
export async function readRefusal(response: Response): Promise<FailedAttempt> {
  const problem = readProblem(response.status, parse(await response.text()));
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
  if (response.status === 408 || response.status >= 500) {
    return { kind: 'unheard', problem, cause: null, retryAfterMs };
  }
  return { kind: 'refused', problem, retryAfterMs };
}

/** What one try brought. */
type Attempt<Value> = Extract<RequestResult<Value>, { kind: 'done' }> | FailedAttempt;

/** What a try brought that was not done. */
export type FailedAttempt =
  | Omit<Refused, 'afterAmbiguous' | 'tries'>
  | (Pick<Unknown, 'problem' | 'cause' | 'retryAfterMs'> & { readonly kind: 'unheard' });

async function askOnce<Value>(
  asked: RequestSpec<Value>,
  terms: ClientContext,
  leftMs: number,
  signal: AbortSignal | undefined,
): Promise<Attempt<Value>> {
  // Outside of `try`: a header that HTTP cannot carry is a mistake in the caller's program, and no trouble of the network.
  const headers = headersOf(asked, terms);
  const tryMs = Math.max(0, Math.min(leftMs, terms.bounds.tryMsMax + (asked.waitMs ?? 0)));
  const timeout = AbortSignal.timeout(Math.ceil(tryMs));
  try {
    const response = await terms.fetch(`${terms.root}${asked.path}`, {
      method: asked.method,
      headers,
      body: asked.body === undefined ? null : JSON.stringify(asked.body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      // A redirected POST would become a GET.
      redirect: 'error',
    });
    if (!response.ok) return await readRefusal(response);
    const value = asked.read(parse(await response.text()));
    if (value === null) return { ...NO_RESPONSE, problem: readProblem(response.status, null) };
    return { kind: 'done', value, isReplayed: response.headers.get('idempotency-replayed') === 'true' };
  } catch (cause) {
    return { ...NO_RESPONSE, cause };
  }
}

const NO_RESPONSE = { kind: 'unheard', problem: null, cause: null, retryAfterMs: null } as const;

function unknown(because: Unknown['because'], tries: number, heard: FailedAttempt): Unknown {
  const cause = heard.kind === 'unheard' ? heard.cause : null;
  return { kind: 'unknown', because, tries, problem: heard.problem, cause, retryAfterMs: heard.retryAfterMs };
}

/** Milliseconds, from seconds or a date; null when it is missing or neither. */
function readRetryAfter(header: string | null): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const dateMs = Date.parse(header);
  return Number.isNaN(dateMs) ? null : Math.max(0, dateMs - Date.now());
}

/** The value of a JSON text; null for what is none, which no reader takes. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
