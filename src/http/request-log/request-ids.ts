// request-ids.ts -- The id of a request, which its answer has and every log line about it: the caller's if it is valid, else made here.

import { randomBytes } from 'node:crypto';

/** What a caller may choose: safe in a header, in JSON and in a log line. */
const VALID = /^[\w.:=+/-]{1,128}$/;
/** By W3C Trace Context; a version after 00 may add fields. */
const TRACE_PARENT = /^(?!ff|00.{54})[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/;

/** Tells processes apart. A counter behind it costs a hundredth of what a random id for each request would. */
const PROCESS = randomBytes(6).toString('hex');
let count = 0;
const made = new WeakMap<Request, string>();

/** The id of a request, the same whenever it is asked for. */
export function requestIdOf(request: Request): string {
  const known = made.get(request);
  if (known !== undefined) return known;
  const id = newRequestId(request);
  made.set(request, id);
  return id;
}

/** The id of a request for code that asks once: it is not remembered, which would cost as much as all the rest. */
export function newRequestId(request: Request): string {
  const sent = request.headers.get('x-request-id');
  if (sent !== null && VALID.test(sent)) return sent;
  count += 1;
  return `${PROCESS}-${count.toString(36)}`;
}

/** Gives a copy of a request the id of the original. */
export function copyRequestId(original: Request, copy: Request): void {
  made.set(copy, requestIdOf(original));
}

/** What stands in every log line about a request: its id, and its trace if the caller has one. */
export function idsOf(request: Request): { readonly requestId: string; readonly traceId?: string } {
  const [, traceId] = TRACE_PARENT.exec(request.headers.get('traceparent') ?? '') ?? [];
  return { requestId: requestIdOf(request), ...(traceId !== undefined && { traceId }) };
}
