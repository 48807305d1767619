// request.ts -- One request, retried with backoff until its result is known, within bounds. A caller never gets an unconfirmed result.
//
// - A timeout, a broken connection, a 408, a 5xx and a 2xx that cannot be read are ambiguous: the request may have been carried
//   out. Only idempotent requests are retried after one of these.
// - 429 says that nothing was done, and is always retried.
// - Backoff is exponential, with jitter, so that a crowd that was turned away together does not come back together.
//   `Retry-After` is waited for in full, or the request ends immediately when its time does not allow for that.

import { type Problem, readProblem, type Reader } from './answers.ts';

/** The result of a request. It is never an exception. */
export type RequestResult<Value> = Done<Value> | Refused | Ambiguous;

export interface Done<Value> {
  readonly kind: 'done';
  readonly value: Value;
  /** Whether the server had answered the same `Idempotency-Key` before. */
  readonly isReplayed: boolean;
  /** The clock of the server, to the second; null when it cannot be seen. */
  readonly serverMs: number | null;
}

/** The server has refused it. */
export interface Refused {
  readonly kind: 'refused';
  readonly problem: Problem;
  /** When the server allows a retry. */
  readonly retryAfterMs: number | null;
  /** Whether an earlier attempt of this call was ambiguous: it may have succeeded, and this refusal may be its consequence. */
  readonly afterAmbiguous: boolean;
  readonly attempts: number;
}

/** The request may have been carried out, or not. */
export interface Ambiguous {
  readonly kind: 'ambiguous';
  /** `aborted`: by the caller's signal. `refused`: after an ambiguous attempt came a refusal that does not tell its result. */
  readonly reason: 'aborted' | 'bounds' | 'refused';
  /** 0: it was never sent. */
  readonly attempts: number;
  /** The problem that the last attempt was answered with; null without an answer. */
  readonly problem: Problem | null;
  /** What broke the last attempt. */
  readonly cause: unknown;
  /** For the developer: what the reason may be. */
  readonly hint?: string;
  readonly retryAfterMs: number | null;
}

export interface RequestSpec<Value> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** From the root of the server, with its query. */
  readonly path: string;
  readonly body?: unknown;
  /** In place of `body`. */
  readonly csv?: string | Blob;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly read: Reader<Value>;
  /** Whether sending it twice has the effect of sending it once. */
  readonly isIdempotent: boolean;
  /** How long the server may take on purpose. */
  readonly waitMs?: number;
}

/** Options of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Called before each retry. */
  readonly onRetry?: () => void;
}

/** What all requests of a client share. */
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
  readonly attemptsMax: number;
  /** For the whole call, with its backoff. */
  readonly timeMsMax: number;
  /** For one attempt. */
  readonly attemptMsMax: number;
  /** The first backoff, which then doubles. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
}

/** Sends until the result is known, or the bounds are reached. @throws TypeError only for a token or header that HTTP cannot carry */
export async function requestWithRetry<Value>(
  request: RequestSpec<Value>,
  context: ClientContext,
  { signal, onRetry }: CallOptions = {},
): Promise<RequestResult<Value>> {
  const { attemptsMax, timeMsMax } = context.bounds;
  const endMs = context.nowMs() + timeMsMax + (request.waitMs ?? 0);
  let afterAmbiguous = false;
  let wasEverAnswered = false;
  let attempt: Attempt<Value> = NO_RESPONSE;
  for (let attempts = 0; ; ) {
    if (signal?.aborted) return ambiguousResult('aborted', attempts, attempt);
    attempt = await send(request, context, endMs - context.nowMs(), signal);
    attempts += 1;
    if (attempt.kind === 'done') return attempt;
    wasEverAnswered ||= attempt.kind === 'refused' || !(attempt.cause instanceof TypeError);
    if (attempt.kind === 'ambiguous') afterAmbiguous = true;
    else if (attempt.problem.status !== 429) return { ...attempt, afterAmbiguous, attempts };
    if (signal?.aborted) return ambiguousResult('aborted', attempts, attempt);
    const waitMs = backoffMsAfter(attempts, attempt.retryAfterMs, context);
    const mayRetry = attempt.kind === 'refused' || request.isIdempotent;
    if (!mayRetry || attempts >= attemptsMax || context.nowMs() + waitMs >= endMs) {
      return attempt.kind === 'refused'
        ? { ...attempt, afterAmbiguous, attempts }
        : { ...ambiguousResult('bounds', attempts, attempt), ...(!wasEverAnswered && corsHint(context.root)) };
    }
    await context.pause(waitMs, signal);
    if (!signal?.aborted) onRetry?.();
  }
}

/** A page learns no more of an answer that CORS forbids than of a broken network: each is a `TypeError`. */
function corsHint(root: string): { readonly hint?: string } {
  const { location } = globalThis as { readonly location?: { readonly origin?: unknown } };
  const origin = location?.origin;
  if (typeof origin !== 'string' || root === origin || root.startsWith(`${origin}/`)) return {};
  return {
    hint: `No attempt had a response. If the network is up, the browser may have kept it from this page: CORS_ORIGINS of the server must have ${origin}`,
  };
}

/** How long to wait after so many attempts: at least as long as the server says. */
export function backoffMsAfter(attempts: number, retryAfterMs: number | null, context: ClientContext): number {
  const { backoffMs, backoffMsMax } = context.bounds;
  const longestMs = Math.min(backoffMsMax, backoffMs * 2 ** (attempts - 1));
  return (retryAfterMs ?? 0) + longestMs * (0.5 + context.random() / 2);
}

/** The headers of a request. The token is read before each attempt, since tokens are renewed. */
export function headersOf(
  request: Pick<RequestSpec<unknown>, 'body' | 'csv' | 'headers'>,
  context: Pick<ClientContext, 'token'>,
): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers ?? {})) if (value !== undefined) headers.set(name, value);
  if (request.body !== undefined) headers.set('content-type', 'application/json');
  if (request.csv !== undefined) headers.set('content-type', 'text/csv');
  const token = context.token();
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  return headers;
}

/** Reads a response that is not 2xx. Throws when the connection breaks meanwhile. */
export async function readFailure(response: Response): Promise<FailedAttempt> {
  const problem = readProblem(response, parse(await response.text()));
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
  if (response.status === 408 || response.status >= 500) {
    return { kind: 'ambiguous', problem, cause: null, retryAfterMs };
  }
  return { kind: 'refused', problem, retryAfterMs };
}

/** The result of one attempt. */
type Attempt<Value> = Done<Value> | FailedAttempt;

export type FailedAttempt =
  | Omit<Refused, 'afterAmbiguous' | 'attempts'>
  | Pick<Ambiguous, 'kind' | 'problem' | 'cause' | 'retryAfterMs'>;

/** Before the first attempt, and after one that had no response. */
export const NO_RESPONSE = { kind: 'ambiguous', problem: null, cause: null, retryAfterMs: null } as const;

/** What a call that ends here has to say of its last attempt. */
export function ambiguousResult(reason: Ambiguous['reason'], attempts: number, last: FailedAttempt): Ambiguous {
  const { problem, retryAfterMs } = last;
  const cause = last.kind === 'ambiguous' ? last.cause : null;
  return { kind: 'ambiguous', reason, attempts, problem, cause, retryAfterMs };
}

async function send<Value>(
  request: RequestSpec<Value>,
  context: ClientContext,
  leftMs: number,
  signal: AbortSignal | undefined,
): Promise<Attempt<Value>> {
  // Outside of `try`: a header that HTTP cannot carry is a mistake in the caller's program, not a network error.
  const headers = headersOf(request, context);
  const attemptMs = Math.max(0, Math.min(leftMs, context.bounds.attemptMsMax + (request.waitMs ?? 0)));
  const bounded = boundedSignal(attemptMs, signal);
  try {
    const response = await context.fetch(`${context.root}${request.path}`, {
      method: request.method,
      headers,
      body: request.csv ?? (request.body === undefined ? null : JSON.stringify(request.body)),
      signal: bounded.signal,
      // A redirected POST would become a GET.
      redirect: 'error',
    });
    if (!response.ok) return await readFailure(response);
    const value = request.read(parse(await response.text()));
    if (value === null) return { ...NO_RESPONSE, problem: readProblem(response, null) };
    const isReplayed = response.headers.get('idempotency-replayed') === 'true';
    return { kind: 'done', value, isReplayed, serverMs: readDate(response.headers.get('date')) };
  } catch (cause) {
    return { ...NO_RESPONSE, cause };
  } finally {
    bounded.release();
  }
}

/** Aborted after so long, or with the signal. Browsers of before 2024 have no `AbortSignal.any`, those of before 2022 no `timeout`. */
function boundedSignal(ms: number, signal: AbortSignal | undefined) {
  const controller = new AbortController();
  const end = () => controller.abort(signal?.reason);
  const timer = setTimeout(
    () => controller.abort(new DOMException('No answer in time', 'TimeoutError')),
    Math.ceil(ms),
  );
  signal?.addEventListener('abort', end);
  if (signal?.aborted) end();
  const release = () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  };
  return { signal: controller.signal, release };
}

/** Milliseconds, from seconds or a date; null when it is missing or neither. */
function readRetryAfter(header: string | null): number | null {
  if (header !== null && /^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const dateMs = readDate(header);
  return dateMs === null ? null : Math.max(0, dateMs - Date.now());
}

function readDate(header: string | null): number | null {
  const dateMs = Date.parse(header ?? '');
  return Number.isNaN(dateMs) ? null : dateMs;
}

/** The value of a JSON text; null for anything else, which no reader takes. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
