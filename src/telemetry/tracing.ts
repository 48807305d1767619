// tracing.ts -- Spans of OpenTelemetry, by its API alone. Nothing is made unless an SDK was set up before this file is loaded.
//
// No span holds a user id, or the message of an error, which may repeat one.

import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';

export { ROOT_CONTEXT, SpanKind };

const NAME = 'coupon-issuing';

const tracer = findTracer();

/** Whether an SDK was set up. */
export const isTracing = tracer !== null;

/** Looked for once: asking at each request would cost each. */
function findTracer(): Tracer | null {
  const found = trace.getTracer(NAME);
  // Without an SDK no span has an id. This one never ends, and so is never exported.
  return trace.isSpanContextValid(found.startSpan('looking for an SDK').spanContext()) ? found : null;
}

/** The span of the caller, by `traceparent`. */
export function parentOf(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers, {
    get: (carrier, name) => carrier.get(name) ?? undefined,
    keys: (carrier) => [...carrier.keys()],
  });
}

/** Runs `run` within a span, null without an SDK, that ends with it. @param parent by default whatever runs now */
export async function inSpan<Result>(
  name: string,
  options: () => SpanOptions,
  parent: Context | null,
  run: (span: Span | null) => Promise<Result>,
): Promise<Result> {
  if (tracer === null) return run(null);
  const outer = parent ?? context.active();
  const span = tracer.startSpan(name, options(), outer);
  try {
    return await context.with(trace.setSpan(outer, span), () => run(span));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** A span of something that has just ended, within whatever runs now. */
export function recordSpan(name: string, seconds: number, isFailed = false): void {
  if (tracer === null) return;
  const endMs = Date.now();
  const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, startTime: endMs - seconds * 1000 });
  if (isFailed) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(endMs);
}

/** Links to these spans. */
export function linksTo(spans: readonly (SpanContext | undefined)[]) {
  return spans.flatMap((each) => (each ? [{ context: each }] : []));
}

/** Names issues alike in the spans of API and worker, by which one finds the other: coupon, first and last sequence. */
export function issuesText(couponId: number, first: number, count: number): string {
  return `${couponId}:${first}-${first + count - 1}`;
}
