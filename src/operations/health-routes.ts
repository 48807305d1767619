// health-routes.ts -- What those who run the system ask it: is it alive, is it ready and how durable, and its metrics.
//
// `/livez` asks nothing of Redis or MySQL: restarting the API because a store is down would only make things worse.

import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { operation } from '../http/openapi.ts';
import { problem } from '../http/problem.ts';

/** One thing that must be right before requests are sent here. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** For people: the reason if it is not ok. No addresses, no secrets: anyone can read it. */
  readonly detail: string;
}

/** Whether requests should be sent here, why not, and what an accepted issue survives. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly Check[];
  /** For each store, the durability that is really in effect, such as `appendonly yes, appendfsync always`. */
  readonly durability: Readonly<Record<string, string>>;
}

export interface HealthDependencies {
  /** With a port of their own, the metrics are not here. */
  readonly config: { readonly METRICS_PORT?: number };
  /** Answers within a bound, and reports a store that fails instead of throwing. */
  readiness(): Promise<Readiness>;
  readonly metrics: {
    readonly contentType: string;
    render(): Promise<string>;
  };
}

const ReadinessAnswer = Type.Object({
  ready: Type.Boolean({ description: 'whether requests should be sent here' }),
  checks: Type.Array(
    Type.Object({
      name: Type.String(),
      ok: Type.Boolean(),
      detail: Type.String({ description: 'the reason if it is not ok' }),
    }),
  ),
  durability: Type.Object(
    {},
    { additionalProperties: Type.String(), description: 'for each store by name, the durability in effect' },
  ),
});

/** The schemas by the names that the document gives them. */
export const healthSchemas = { Readiness: ReadinessAnswer };

/** `GET /hello`, `/livez`, `/readyz` and `/metrics`. */
export function healthRoutes({ config, readiness, metrics }: HealthDependencies) {
  const routes = new Elysia({ name: 'health' })
    .get('/hello', () => new Response('hello', { headers: text }), { detail: helloOperation })
    .get('/livez', () => new Response('alive', { headers: fresh }), { detail: liveOperation })
    .get('/readyz', () => answerReadiness(readiness), { detail: readyOperation });
  if (config.METRICS_PORT !== undefined) return routes;
  return routes.get('/metrics', () => answerMetrics(metrics), { detail: metricsOperation });
}

/** `GET /metrics` alone, for a port that only those who watch the system reach. */
export function metricsApp(metrics: HealthDependencies['metrics']) {
  return (request: Request): Response | Promise<Response> =>
    request.method === 'GET' && new URL(request.url).pathname === '/metrics'
      ? answerMetrics(metrics)
      : problem('NOT_FOUND');
}

async function answerReadiness(readiness: HealthDependencies['readiness']): Promise<Response> {
  const { ready, checks, durability } = await readiness();
  return Response.json({ ready, checks, durability }, { status: ready ? 200 : 503, headers: noStore });
}

async function answerMetrics(metrics: HealthDependencies['metrics']): Promise<Response> {
  return new Response(await metrics.render(), { headers: { ...noStore, 'content-type': metrics.contentType } });
}

const text = { 'content-type': 'text/plain; charset=utf-8' };
const noStore = { 'cache-control': 'no-store' };
const fresh = { ...text, ...noStore };

const helloOperation = operation({
  operationId: 'sayHello',
  tag: 'service',
  summary: 'Say hello',
  description: 'Touches no store: the baseline that benchmarks compare with.',
  answers: { 200: { description: 'A greeting.', example: 'hello' } },
  problems: [],
});

const liveOperation = operation({
  operationId: 'checkLiveness',
  tag: 'service',
  summary: 'Is the process alive?',
  description: 'Asks nothing of Redis or MySQL.',
  answers: { 200: { description: 'It is.', example: 'alive' } },
  problems: [],
});

const readinessExample = (ok: boolean): Readiness => ({
  ready: ok,
  checks: [
    { name: 'mysql', ok: true, detail: 'answers' },
    { name: 'redis', ok, detail: ok ? 'answers' : 'does not answer' },
  ],
  durability: { redis: 'appendonly yes, appendfsync always' },
});

const readyOperation = operation({
  operationId: 'checkReadiness',
  tag: 'service',
  summary: 'Should requests be sent here?',
  description: 'With the reason if not, and with the durability that the stores really have.',
  answers: {
    200: { description: 'Yes.', schema: 'Readiness', example: readinessExample(true) },
    503: { description: 'No; `checks` says why.', schema: 'Readiness', example: readinessExample(false) },
  },
  problems: [],
});

const metricsOperation = operation({
  operationId: 'readMetrics',
  tag: 'service',
  summary: 'Metrics',
  description: 'For Prometheus.',
  answers: {
    200: { description: 'In the text format.', example: '# HELP up Whether it runs.\n# TYPE up gauge\nup 1\n' },
  },
  problems: [],
});
