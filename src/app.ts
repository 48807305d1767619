// app.ts -- The whole HTTP surface as one web-standard function. It knows no server and no store, and leaks nothing internal.

import { type DefinitionBase, Elysia, type MetadataBase, type SingletonBase } from 'elysia';
import type { Authority } from './auth/authority.ts';
import { keyRoutes } from './auth/routes.ts';
import { Unavailable } from './coupon/outcome.ts';
import { type CodesDependencies, codesRoutes } from './codes/routes.ts';
import { type CouponDependencies, couponRoutes } from './coupon/routes.ts';
import { type PageFile, pageRoutes } from './http/assets.ts';
import { humanCheck, type HumanVerifier } from './http/captcha.ts';
import { envelope } from './http/envelope.ts';
import { problem } from './http/problem.ts';
import { addressReader, type PeerOf } from './http/rate-limit/address.ts';
import type { Limiter } from './http/rate-limit/limiter.ts';
import { idsOf, requestIdOf } from './http/request-log/request-ids.ts';
import type { RequestObserver } from './http/request-log/request-observer.ts';
import { type EdenRoutes, plugin } from './http/route.ts';
import { problemRoute, swaggerRoutes } from './http/document/swagger.ts';
import { routeRefuser } from './http/unknown-route.ts';
import { type CodeRoutesDependencies, codeRoutes } from './issues/code-routes.ts';
import { dropPages, type DropPageSettings } from './drops/drop-page.ts';
import { dropRoutes } from './issues/drop-routes.ts';
import { type FeedDependencies, feedRoute } from './issues/feed-routes.ts';
import { type IssuesDependencies, issuesRoutes } from './issues/routes.ts';
import { type EndpointDependencies, logStoreFailure, unavailableAnswers } from './issuing/endpoint.ts';
import { issueManyRoute } from './issuing/many/issue-many.ts';
import { issueRoutes } from './issuing/routes.ts';
import { type AuditTrailDependencies, auditTrailRoute } from './operations/audit-trail-routes.ts';
import { type HealthDependencies, healthRoutes } from './operations/health-routes.ts';
import { type LimitedCallersDependencies, limitedCallersRoute } from './operations/limited-callers.ts';
import { type ReportDependencies, reportRoute } from './operations/report-routes.ts';
import { type LoggingRoutesDependencies, loggingRoutes } from './operations/logging-routes.ts';
import { type PreflightRouteDependencies, preflightRoute } from './operations/preflight/preflight-route.ts';
import { type OperationsDependencies, operationsRoutes } from './operations/routes.ts';
import { type TimelineRouteDependencies, timelineRoute } from './operations/timeline/timeline-route.ts';
import { type WebhookRoutesDependencies, webhookRoutes } from './webhooks/routes.ts';

/** What the surface needs of the rest. */
export type AppDependencies = Omit<EndpointDependencies, 'userLimiter' | 'isHuman'> &
  IssuesDependencies &
  FeedDependencies &
  CodeRoutesDependencies &
  CouponDependencies &
  CodesDependencies &
  OperationsDependencies &
  LimitedCallersDependencies &
  AuditTrailDependencies &
  ReportDependencies &
  LoggingRoutesDependencies &
  PreflightRouteDependencies &
  TimelineRouteDependencies &
  WebhookRoutesDependencies &
  HealthDependencies & {
    readonly config: DropPageSettings & {
      readonly URL_CHARACTERS_MAX: number;
      readonly TRUSTED_PROXIES?: string;
      readonly CORS_ORIGINS?: string;
    };
    readonly authority: Authority;
    /** null: not limited. */
    readonly limiters: { readonly user: Pick<Limiter, 'take'> | null; readonly address: Pick<Limiter, 'take'> | null };
    /** Without one, no CAPTCHA is required. */
    readonly humanVerifier?: HumanVerifier;
    readonly requests: RequestObserver;
    /** The built pages. */
    readonly pages: readonly PageFile[];
  };

/** The surface: any server that speaks the web's `Request` and `Response` can serve it. */
export interface App {
  /** @param peerOf gives the address of who sent the request; without it there is no limit by address */
  fetch(request: Request, peerOf?: PeerOf): Response | Promise<Response>;
}

/**
 * Builds the surface. It never throws and never rejects: every fault becomes a problem document.
 *
 * @param dependencies may throw `Unavailable`, which is answered 503; anything else they throw is answered 500 and logged
 */
export function createApp(dependencies: AppDependencies): App {
  const { config, limiters, humanVerifier, log } = dependencies;
  const unavailable = unavailableAnswers(config.RETRY_AFTER_S);
  const isHuman =
    humanVerifier === undefined
      ? null
      : humanCheck(humanVerifier, config.RETRY_AFTER_S, (error, request) =>
          log.error({ ...idsOf(request), error }, 'could not check a CAPTCHA'),
        );
  const surface = routes(dependencies, isHuman);
  const app = new Elysia({
    name: 'app',
    // Handlers are compiled when the app is built, not in the first request of a rush.
    precompile: true,
    // By default a host shorter than four letters is taken for a part of the path.
    handler: { standardHostname: false },
  })
    // The only hook. Without it, Elysia sends the messages of errors to the caller.
    .onError(({ code, error, route, request }) => {
      if (code === 'NOT_FOUND') return unknownRoute(request);
      if (error instanceof Unavailable) {
        logStoreFailure(log, request, error);
        return unavailable(error.reason, requestIdOf(request));
      }
      log.error({ ...idsOf(request), route, error }, 'a request failed');
      return problem('INTERNAL');
    })
    .use(plugin(surface))
    .use(pageRoutes(...dropPages(dependencies)))
    .use(swaggerRoutes(surface, dependencies.authority.isOn));
  const unknownRoute = routeRefuser(app.routes);
  return {
    fetch: envelope((request) => app.fetch(request), {
      urlCharactersMax: config.URL_CHARACTERS_MAX,
      corsOrigins: config.CORS_ORIGINS,
      isAuthOn: dependencies.authority.isOn,
      limiter: limiters.address,
      addressOf: addressReader(config.TRUSTED_PROXIES),
      requests: dependencies.requests,
    }),
  };
}

/** Every documented route. */
function routes(dependencies: AppDependencies, isHuman: EndpointDependencies['isHuman']) {
  return [
    ...issueRoutes({ ...dependencies, userLimiter: dependencies.limiters.user, isHuman }),
    issueManyRoute({
      ...dependencies,
      userLimiter: dependencies.limiters.user,
      addressLimiter: dependencies.limiters.address,
    }),
    ...issuesRoutes(dependencies),
    feedRoute(dependencies),
    ...codeRoutes(dependencies),
    ...couponRoutes(dependencies),
    ...codesRoutes(dependencies),
    ...operationsRoutes(dependencies),
    limitedCallersRoute(dependencies),
    auditTrailRoute(dependencies),
    reportRoute(dependencies),
    ...loggingRoutes(dependencies),
    preflightRoute(dependencies),
    timelineRoute(dependencies),
    ...webhookRoutes(dependencies),
    ...keyRoutes(dependencies),
    ...dropRoutes(dependencies),
    ...healthRoutes(dependencies),
    problemRoute,
  ] as const;
}

/** The API as a type for `treaty` of @elysiajs/eden, to be built with `parseDate: false`, since instants are text. */
export type CouponApi = Elysia<'', SingletonBase, DefinitionBase, MetadataBase, EdenRoutes<ReturnType<typeof routes>>>;
