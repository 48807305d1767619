// tracing.test.ts -- With an SDK of OpenTelemetry, as examples/tracing.ts sets it up, a drop can be followed from the request to its row.

import { afterAll, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { inSpan, isTracing, recordSpan } from '../../src/telemetry/tracing.ts';
import { eventually } from '../eventually.ts';
import { startEntry } from '../started-entry.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
afterAll(() => stores.close());

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** As OTLP has it. */
interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: readonly Attribute[];
}

interface Exported {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

/** A viewer of traces, as far as it receives them. */
function startCollector() {
  const spans: Span[] = [];
  let texts = '';
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const text = await request.text();
      texts += text;
      const { resourceSpans } = JSON.parse(text) as Exported;
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      return Response.json({});
    },
  });
  return { spans, textOf: () => texts, url: server.url.origin, stop: () => server.stop(true) };
}

const valueOf = ({ attributes }: Span, key: string): unknown =>
  Object.values(attributes.find((each) => each.key === key)?.value ?? {})[0];

test('a request, its batch, the script, the write and its transaction are spans that lead to each other', async () => {
  const collector = startCollector();
  const preload = resolve(import.meta.dir, '../../examples/tracing.ts');
  const options = {
    launcher: ['sh', '-c', `exec "$1" --preload ${preload} "$2"`, 'sh'],
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '100' },
  };
  const api = startEntry(stores, 'src/server.ts', options);
  const worker = startEntry(stores, 'workers/worker.ts', options);
  try {
    const url = await api.url();
    const { id } = await stores.coupon();
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const issue = (userId: string, path: string) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
          'x-request-id': userId,
        },
        body: JSON.stringify({ couponId: id, userId: `secret-${userId}` }),
      });
    expect((await issue('one', '/v2/issue-async')).status).toBe(202);
    expect((await issue('two', '/v1/issue')).status).toBe(201);
    const { spans } = collector;
    const named = (name: string) => spans.filter((span) => span.name === name);
    await eventually('all spans', () =>
      ['batch synchronous', 'write', 'script settle'].every((name) => named(name).length > 0),
    );
    const [request] = named('POST /v2/issue-async');
    expect(request).toMatchObject({ traceId, parentSpanId: '00f067aa0ba902b7' });
    if (!request) return;
    expect([valueOf(request, 'coupon.request_id'), valueOf(request, 'http.response.status_code')]).toEqual([
      'one',
      202,
    ]);
    const [batch] = named('batch scripted');
    expect(batch?.links).toMatchObject([{ traceId, spanId: request.spanId }]);
    expect(batch && valueOf(batch, 'coupon.issues')).toBe(`${id}:1-1`);
    expect(named('script take').some(({ parentSpanId }) => parentSpanId === batch?.spanId)).toBe(true);
    const [write] = named('write');
    expect(write && JSON.stringify(valueOf(write, 'coupon.issues'))).toContain(`${id}:1-1`);
    const transactions = named('transaction').map(({ parentSpanId }) => parentSpanId);
    expect(transactions).toContain(write?.spanId ?? 'none');
    expect(named('script settle').map(({ parentSpanId }) => parentSpanId)).toContain(write?.spanId ?? 'none');
    expect(named('batch synchronous')).toHaveLength(1);
    expect(collector.textOf()).not.toContain('secret-');
  } finally {
    for (const { child } of [api, worker]) {
      child.kill('SIGTERM');
      await child.exited;
    }
    await collector.stop();
  }
}, 60_000);

test('without an SDK nothing is made', async () => {
  expect(isTracing).toBe(false);
  const unused = () => {
    throw new Error('options are made for nobody');
  };
  expect(await inSpan('none', unused, null, async (span) => span)).toBeNull();
  recordSpan('none', 1);
});
