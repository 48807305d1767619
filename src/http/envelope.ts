// envelope.ts -- What stands around every route: no URL without bound or host, limits by address, pages of other origins, the id of the
// request in its answer, and headers that keep browsers from doing more with an answer than they should.
//
// Around the routes and not among them, so that no route, no error and no library can leave it out.

import { type addressReader, type PeerOf, copyAddress, rememberAddress } from './rate-limit/address.ts';
import { type Allowance, type Limiter, setRateLimitHeaders, tooMany } from './rate-limit/limiter.ts';
import { hostReader } from './host.ts';
import { refuseOtherOrigins } from './other-origins.ts';
import { PROBLEM_TYPE, problem, withRequestId } from './problem.ts';
import { copyRequestId, requestIdOf } from './request-log/request-ids.ts';
import { copyNote } from './request-log/request-notes.ts';
import type { RequestObserver } from './request-log/request-observer.ts';

type Fetch = (request: Request) => Response | Promise<Response>;

export interface EnvelopeOptions {
  readonly urlCharactersMax: number;
  /** Origins whose pages may call, with commas; undefined: none. */
  readonly corsOrigins: string | undefined;
  /** Whether users and backends must authenticate; where not, pages of other origins may change nothing. */
  readonly isAuthOn: boolean;
  /** null: addresses are not limited. */
  readonly limiter: Pick<Limiter, 'take'> | null;
  readonly addressOf: ReturnType<typeof addressReader>;
  readonly requests: RequestObserver;
}

/** Puts the envelope around `inner`. The address of a peer is asked for only where addresses are limited, by event streams and by changes. */
export function envelope(
  inner: Fetch,
  { urlCharactersMax, corsOrigins, isAuthOn, limiter, addressOf, requests }: EnvelopeOptions,
): (request: Request, peerOf?: PeerOf) => Response | Promise<Response> {
  const origins = corsOrigins === undefined ? null : new Set(corsOrigins.split(','));
  const withHost = hostReader();
  const checked: Fetch = (request) => {
    if (request.url.length > urlCharactersMax)
      return problem('MALFORMED_REQUEST', `The URL is longer than ${urlCharactersMax} characters.`);
    const known = withHost(request);
    if (known === null) return problem('MALFORMED_REQUEST', '`Host` is not a valid host.');
    if (known !== request) {
      copyRequestId(request, known);
      copyNote(request, known);
      copyAddress(request, known);
    }
    return (isAuthOn ? null : refuseOtherOrigins(known, origins)) ?? inner(known);
  };
  const limited = (request: Request, peerOf: PeerOf | undefined) => {
    if (peerOf && isAddressNeeded(request)) rememberAddress(request, () => addressOf(peerOf(request), request));
    const address = limiter && peerOf && !isProbe(request) ? addressOf(peerOf(request), request) : null;
    if (!limiter || address === null) return sealed(request, checked(request));
    const allowance = limiter.take(address);
    if (allowance.isRefused) return seal(request, tooMany('address', allowance));
    return sealed(request, checked(request), allowance);
  };
  const withOrigins = (request: Request, peerOf: PeerOf | undefined) => {
    if (!origins) return limited(request, peerOf);
    const origin = request.headers.get('origin');
    const isAllowed = origin !== null && origins.has(origin);
    if (isAllowed && isPreflight(request)) return seal(request, openTo(origin, new Response(null, preflight)));
    const answer = limited(request, peerOf);
    const open = (one: Response) => (isAllowed ? openTo(origin, one) : varying(one));
    return answer instanceof Promise ? answer.then(open) : open(answer);
  };
  return (request, peerOf) =>
    requests.isOn ? requests.observe(request, () => withOrigins(request, peerOf)) : withOrigins(request, peerOf);
}

/** Probes come often, always from one address, and must not be answered 429. */
function isProbe(request: Request): boolean {
  return /^[^/]*\/\/[^/]*\/(livez|readyz|metrics)$/.test(request.url);
}

/** An address may have only so many event streams, and changes are recorded with theirs. */
function isAddressNeeded({ url, method }: Request): boolean {
  return url.endsWith('/events') || (method !== 'GET' && !/^[^/]*\/\/[^/]*\/v\d\/issue/.test(url));
}

function sealed(
  request: Request,
  answer: Response | Promise<Response>,
  allowance?: Allowance,
): Response | Promise<Response> {
  if (answer instanceof Promise) return answer.then((one) => seal(request, one, allowance));
  return seal(request, answer, allowance);
}

/** A page states its own policy; everything else is nothing that a browser should run or frame. */
const POLICY = "default-src 'none'; frame-ancestors 'none'";

function seal(request: Request, answer: Response, allowance?: Allowance): Response | Promise<Response> {
  const { headers } = answer;
  const type = headers.get('content-type');
  // Those of the hot path are made with both, since a header that is set later costs them more.
  const isIdentified = headers.has('x-request-id');
  if (!isIdentified) {
    headers.set('x-request-id', requestIdOf(request));
    headers.set('x-content-type-options', 'nosniff');
  }
  // JSON that no browser takes for anything else needs no more; each header costs the hot path about a microsecond.
  if (!isJson(type)) {
    if (!headers.has('content-security-policy')) headers.set('content-security-policy', POLICY);
    if (!headers.has('referrer-policy')) headers.set('referrer-policy', 'no-referrer');
  }
  // A limit of the user is nearer to the caller than one of an address.
  if (allowance && !headers.has('ratelimit-limit')) setRateLimitHeaders(answer, allowance);
  return isIdentified || type !== PROBLEM_TYPE ? answer : identified(answer, requestIdOf(request));
}

/** A problem that was made without knowing the request, with its id. */
async function identified(answer: Response, requestId: string): Promise<Response> {
  const text = await answer.text();
  const { status, headers } = answer;
  // The answer to HEAD has no text.
  return new Response(text === '' ? null : withRequestId(text)(requestId), { status, headers });
}

function isJson(type: string | null): boolean {
  return type === 'application/json' || type === PROBLEM_TYPE;
}

function isPreflight(request: Request): boolean {
  return request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
}

/** Credentials are sent by scripts in `Authorization`, so no cookies are allowed for. */
const preflight = {
  status: 204,
  headers: {
    'access-control-allow-methods': 'GET, POST, PATCH, DELETE',
    // The last two are of OpenTelemetry, which adds them to every request of a page.
    'access-control-allow-headers':
      'Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Prefer, X-Captcha-Token, X-Request-Id, Traceparent, Tracestate',
    'access-control-max-age': '600',
  },
};

const EXPOSED = [
  'ETag, Idempotency-Replayed, Location, Preference-Applied, Retry-After, WWW-Authenticate, X-Request-Id',
  'RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset',
].join(', ');

function openTo(origin: string, answer: Response): Response {
  answer.headers.set('access-control-allow-origin', origin);
  answer.headers.set('access-control-expose-headers', EXPOSED);
  return varying(answer);
}

/** Answers differ by origin: a cache must not hand one page the answer to another. */
function varying(answer: Response): Response {
  answer.headers.append('vary', 'Origin');
  return answer;
}
