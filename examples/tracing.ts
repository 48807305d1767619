// tracing.ts -- Sets up an SDK of OpenTelemetry, so that API and worker make spans:
//
//   OTEL_SERVICE_NAME=coupon-api bun --preload ./examples/tracing.ts src/server.ts
//   OTEL_SERVICE_NAME=coupon-worker bun --preload ./examples/tracing.ts workers/worker.ts
//
// They go to a collector or a viewer by OTLP, by default at http://localhost:4318; OTEL_EXPORTER_OTLP_ENDPOINT names another. A copy of
// this file is the place for samplers, resources and other exporters: a drop of 100,000 requests is 100,000 spans.

import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, serviceNameEnvDetector } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

context.setGlobalContextManager(new AsyncLocalStorageContextManager());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
const provider = new TracerProvider({
  resource: defaultResource().merge(detectResources({ detectors: [serviceNameEnvDetector] })),
  // Soon, so that little is lost of what ends while the process stops.
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: 500 })],
});
trace.setGlobalTracerProvider(provider);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void provider.forceFlush());
