// app.ts -- The whole HTTP surface as one web-standard function. It knows no server and no store, and leaks nothing internal.

import { Elysia } from 'elysia';
import { type CouponDependencies, couponRoutes, couponSchemas } from './coupon/routes.ts';
import { type HealthDependencies, healthRoutes, healthSchemas } from './http/health.ts';
import { problem } from './http/problem.ts';
import { swaggerRoutes } from './http/swagger.ts';
import { Unavailable } from './issuance/outcome.ts';
import { type RecoveryDependencies, recoveryRoutes, recoverySchemas } from './issuance/recovery-routes.ts';
import { type IssuanceDependencies, issuanceRoutes, issuanceSchemas, unavailableAnswers } from './issuance/routes.ts';

/** What the surface needs of the rest. */
export interface AppDependencies {
  readonly config: IssuanceDependencies['config'] & CouponDependencies['config'];
  readonly issuance: IssuanceDependencies['issuance'];
  readonly issueOnce: IssuanceDependencies['issueOnce'];
  readonly issues: IssuanceDependencies['issues'];
  readonly progress: IssuanceDependencies['progress'];
  readonly catalog: CouponDependencies['catalog'];
  readonly upkeep: CouponDependencies['upkeep'];
  readonly audit: RecoveryDependencies['audit'];
  readonly deadLetters: RecoveryDependencies['deadLetters'];
  readonly readiness: HealthDependencies['readiness'];
  readonly metrics: IssuanceDependencies['metrics'] & HealthDependencies['metrics'];
  readonly log: {
    error(fields: object, message: string): void;
  };
}

/** The surface: any server that speaks the web's `Request` and `Response` can serve it. */
export interface App {
  fetch(request: Request): Response | Promise<Response>;
}

/**
 * Builds the surface. It never throws and never rejects: every fault becomes a problem document.
 *
 * @param dependencies may throw `Unavailable`, which is answered 503; anything else they throw is answered 500 and logged
 */
export function createApp(dependencies: AppDependencies): App {
  const unavailable = unavailableAnswers(dependencies.config.RETRY_AFTER_S);
  const app = new Elysia({
    name: 'app',
    // Handlers are compiled when the app is built, not in the first request of a rush.
    precompile: true,
    // By default a host shorter than four letters is taken for a part of the path.
    handler: { standardHostname: false },
  })
    // The only hook. Without it, Elysia sends the messages of errors to the caller.
    .onError(({ code, error, route }) => {
      if (code === 'NOT_FOUND') return problem('NOT_FOUND');
      if (error instanceof Unavailable) return unavailable(error.reason);
      dependencies.log.error({ route, error }, 'a request failed');
      return problem('INTERNAL');
    })
    .use(issuanceRoutes(dependencies))
    .use(couponRoutes(dependencies))
    .use(recoveryRoutes(dependencies))
    .use(healthRoutes(dependencies))
    .use(swaggerRoutes({ ...issuanceSchemas, ...couponSchemas, ...recoverySchemas, ...healthSchemas }));
  return { fetch: (request) => app.fetch(request) };
}
