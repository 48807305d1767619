// request-notes.ts -- What the parts that a request passes note of it for its log line, its span and `Server-Timing`.

import type { SpanContext } from '@opentelemetry/api';

/** The note of a request that is observed; of others there is none, so that they cost nothing. */
export interface RequestNote {
  /** Method and pattern of the path, which names nobody. */
  endpoint?: string;
  couponId?: number;
  /** Never logged as it is. */
  userId?: string;
  /** How many users its batch had, how long it waited for the decision to begin, and how long the decision took. */
  batchUsers?: number;
  waitMs?: number;
  decisionMs?: number;
  /** The span of the request. */
  readonly spanContext?: SpanContext | undefined;
}

const notes = new WeakMap<Request, RequestNote>();
/** Looking into an empty map for each request costs more than looking here. */
let isAnyKept = false;

/** Undefined for a request that is not observed. */
export function noteOf(request: Request): RequestNote | undefined {
  return isAnyKept ? notes.get(request) : undefined;
}

export function keepNote(request: Request, note: RequestNote): void {
  isAnyKept = true;
  notes.set(request, note);
}

/** Until the next one is kept, no request has a note. */
export function stopKeeping(): void {
  isAnyKept = false;
}

/** Gives a copy of a request the note of the original. */
export function copyNote(original: Request, copy: Request): void {
  const note = noteOf(original);
  if (note) notes.set(copy, note);
}
