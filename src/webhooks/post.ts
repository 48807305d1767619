// post.ts -- One request to a webhook, bounded in every way: it goes to an address that was checked, redirects are not followed, nothing
// of the answer but its status and Retry-After is read, and it ends in time.

import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { addressFor, hostOf, PrivateAddressError, type Resolve, resolveBySystem } from './target.ts';

/** What became of a request. */
export interface Answer {
  /** The HTTP status; null without an answer. */
  readonly status: number | null;
  /** Why it counts as failed; null for a success. */
  readonly error: string | null;
  /** How long the receiver wants to be left alone; null where it does not say. */
  readonly retryAfterMs: number | null;
}

export interface PostOptions {
  readonly timeMsMax: number;
  readonly isPrivateAllowed: boolean;
  readonly signal: AbortSignal;
  /** For tests. */
  readonly resolve?: Resolve;
  /** An authority (PEM) in place of those of the system; for tests. */
  readonly ca?: string;
}

/** Sends a body. Never throws. */
export async function post(
  target: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  { timeMsMax, signal, ...options }: PostOptions,
): Promise<Answer> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(timeMsMax)]);
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(bound.reason);
  bound.addEventListener('abort', abort, { once: true });
  let sent: ClientRequest | undefined;
  const send = async () => {
    const url = new URL(target);
    const { address, family } = await addressFor(url, options.isPrivateAllowed, options.resolve ?? resolveBySystem);
    if (bound.aborted) return aborted.promise;
    return new Promise<IncomingMessage>((resolve, reject) => {
      sent = requestTo(url, address, family, body, headers, options.ca);
      sent.on('response', resolve).on('error', reject).end(body);
    });
  };
  try {
    if (bound.aborted) abort();
    const response = await Promise.race([send(), aborted.promise]);
    return answerOf(response);
  } catch (error) {
    return { status: null, error: reasonOf(error), retryAfterMs: null };
  } finally {
    bound.removeEventListener('abort', abort);
    // What is left of the answer is not read, however long it is.
    sent?.on('error', () => undefined).destroy();
  }
}

function requestTo(
  url: URL,
  address: string,
  family: number,
  body: string,
  headers: Readonly<Record<string, string>>,
  ca: string | undefined,
): ClientRequest {
  const isTls = url.protocol === 'https:';
  const host = hostOf(url);
  const options = {
    method: 'POST',
    // The address that was checked: the name is not resolved a second time.
    host: address,
    family,
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    path: url.pathname + url.search,
    headers: { ...headers, host: url.host, 'content-length': String(Buffer.byteLength(body)), connection: 'close' },
    // A connection of its own, which nobody uses again.
    agent: false as const,
  };
  if (!isTls) return requestHttp(options);
  // The certificate is that of the name.
  return requestHttps({ ...options, ...(isIP(host) === 0 && { servername: host }), ...(ca !== undefined && { ca }) });
}

function answerOf({ statusCode = 0, headers }: IncomingMessage): Answer {
  const retryAfter = headers['retry-after'] ?? '';
  const retryAfterMs = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : null;
  const isSuccess = statusCode >= 200 && statusCode < 300;
  return { status: statusCode, error: isSuccess ? null : `answered ${statusCode}`, retryAfterMs };
}

/** In words of this file, or a code such as ECONNREFUSED: a message may repeat the URL, which may hold a secret. */
function reasonOf(error: unknown): string {
  if (error instanceof PrivateAddressError) return error.message;
  if (!(error instanceof Error)) return 'failed';
  if (error.name === 'TimeoutError') return 'did not answer in time';
  if (error.name === 'AbortError') return 'was stopped';
  return 'code' in error && typeof error.code === 'string' ? error.code.slice(0, 100) : 'the connection failed';
}
