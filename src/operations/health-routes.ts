// health-routes.ts -- What those who run the system ask it: is it alive, is it ready and how durable, and its metrics.
//
// `/livez` asks nothing of Redis or MySQL: restarting the API because a store is down would only make things worse.

import { type Static, Type } from '@sinclair/typebox';
import { type Authority, operatorsWith } from '../auth/authority.ts';
import { problem } from '../http/problem.ts';
import { type Route, rawRoute, route } from '../http/route.ts';
import { atMostEvery } from '../telemetry/registry.ts';

const ReadinessAnswer = Type.Object(
  {
    ready: Type.Boolean({ description: 'whether requests should be sent here' }),
    checks: Type.Array(
      Type.Object({
        name: Type.String(),
        ok: Type.Boolean(),
        detail: Type.String({ description: 'the reason if it is not ok' }),
      }),
    ),
    durability: Type.Unsafe<Record<string, string>>(
      Type.Object(
        {},
        { additionalProperties: Type.String(), description: 'for each store by name, the durability in effect' },
      ),
    ),
  },
  { $id: 'Readiness' },
);

/** Whether requests should be sent here, why not, and for each store the durability that is really in effect. */
export type Readiness = Static<typeof ReadinessAnswer>;

/** One thing that must be right before requests are sent here. */
export type Check = Readiness['checks'][number];

export interface HealthDependencies {
  /** With a port of their own, the metrics are not here. Without one, they are for keys with the scope `read`: each costs a scrape. */
  readonly config: { readonly METRICS_PORT?: number };
  readonly authority: Pick<Authority, 'isOn' | 'guard' | 'scopesOf'>;
  /** Answers within a bound, and reports a store that fails instead of throwing. */
  readiness(): Promise<Readiness>;
  readonly metrics: {
    readonly contentType: string;
    render(): Promise<string>;
  };
}

/** `GET /hello`, `/livez`, `/readyz` and `/metrics`. */
export function healthRoutes({ config, authority, readiness, metrics }: HealthDependencies): readonly Route[] {
  const always = [helloRoute, liveRoute, readyRoute(readiness, authority)];
  return config.METRICS_PORT === undefined ? [...always, metricsRoute(metrics, authority)] : always;
}

/** `GET /metrics` alone, for a port that only those who watch the system reach. */
export function metricsApp(metrics: HealthDependencies['metrics']) {
  const answer = metricsAnswer(metrics);
  return (request: Request): Response | Promise<Response> =>
    request.method === 'GET' && new URL(request.url).pathname === '/metrics' ? answer() : problem('NOT_FOUND');
}

/**
 * How old the text of the metrics may be. Less than a second: a scraper that comes once a second would get every other text twice, and
 * draw rates of nothing and of double.
 */
const TEXT_MS_MAX = 500;

/** Made seldom, however many ask. */
function metricsAnswer({ contentType, render }: HealthDependencies['metrics']): () => Promise<Response> {
  const text = atMostEvery(TEXT_MS_MAX, render);
  return async () => new Response(await text(), { headers: { ...noStore, 'content-type': contentType } });
}

const text = { 'content-type': 'text/plain; charset=utf-8' };
const noStore = { 'cache-control': 'no-store' };

const helloRoute = rawRoute(
  'GET',
  '/hello',
  {
    operationId: 'sayHello',
    tag: 'service',
    summary: 'Say hello',
    description: 'Uses no store: the baseline of the benchmarks.',
    answers: { 200: { description: 'A greeting.', example: 'hello' } },
  },
  () => new Response('hello', { headers: text }),
);

const liveRoute = rawRoute(
  'GET',
  '/livez',
  {
    operationId: 'checkLiveness',
    tag: 'service',
    summary: 'Is the process alive?',
    description: 'Does not use Redis or MySQL.',
    answers: { 200: { description: 'It is.', example: 'alive' } },
  },
  () => new Response('alive', { headers: { ...text, ...noStore } }),
);

function readyRoute(readiness: HealthDependencies['readiness'], { scopesOf }: HealthDependencies['authority']) {
  const exampleOf = (ok: boolean): Readiness => ({
    ready: ok,
    checks: [
      { name: 'mysql', ok: true, detail: 'answers' },
      { name: 'redis', ok, detail: ok ? 'answers' : 'does not answer' },
    ],
    durability: { redis: 'appendonly yes, appendfsync always' },
  });
  return route(
    'GET',
    '/readyz',
    {
      operationId: 'checkReadiness',
      tag: 'service',
      summary: 'Should requests be sent here?',
      description:
        'With the reason if not, and with the actual durability of the stores; their versions only for callers with a key. At most a second old.',
      answers: {
        200: { description: 'Yes.', schema: ReadinessAnswer, example: exampleOf(true) },
        503: { description: 'No; `checks` says why.', schema: ReadinessAnswer, example: exampleOf(false) },
      },
    },
    async ({ request }) => {
      const { ready, checks, durability } = await readiness();
      const status: 200 | 503 = ready ? 200 : 503;
      const isKnown = request.headers.has('authorization') && !(scopesOf(request) instanceof Response);
      return { status, body: { ready, checks: isKnown ? checks : checks.map(withoutVersion), durability } };
    },
  );
}

/** A store that is well says which release it is. */
function withoutVersion({ name, ok, detail }: Check): Check {
  return { name, ok, detail: ok ? 'answers' : detail };
}

function metricsRoute(metrics: HealthDependencies['metrics'], authority: HealthDependencies['authority']) {
  const access = authority.isOn ? operatorsWith(authority, 'read') : null;
  const answer = metricsAnswer(metrics);
  const example = '# HELP up Whether it runs.\n# TYPE up gauge\nup 1\n';
  return rawRoute(
    'GET',
    '/metrics',
    {
      operationId: 'readMetrics',
      tag: 'service',
      summary: 'Metrics',
      description:
        'For Prometheus, at most half a second old. Needs no key on a separate port, `METRICS_PORT`, or with `AUTH=off`.',
      ...(access && { access }),
      answers: { 200: { description: 'In the text format.', example } },
    },
    async (request) => (await access?.refuse(request, {})) ?? answer(),
  );
}
