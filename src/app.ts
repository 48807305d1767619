// app.ts -- The whole HTTP surface as one web-standard function. It knows no server and no store, and leaks nothing internal.

import { Elysia } from 'elysia';
import { type CouponDependencies, couponRoutes, couponSchemas } from './coupon/routes.ts';
import { addressReader, type PeerOf } from './http/rate-limit/address.ts';
import type { Authority } from './auth/authority.ts';
import { envelope } from './http/envelope.ts';
import { type HealthDependencies, healthRoutes, healthSchemas } from './operations/health-routes.ts';
import { humanCheck, type HumanVerifier } from './http/captcha.ts';
import { keyRoutes, keySchemas } from './auth/routes.ts';
import type { Limiter } from './http/rate-limit/limiter.ts';
import { dropRoutes, dropSchemas } from './issues/drop-routes.ts';
import { type PageFile, pageRoutes } from './http/assets.ts';
import { problem } from './http/problem.ts';
import { swaggerRoutes } from './http/swagger.ts';
import { routeRefuser } from './http/unknown-route.ts';
import { type LoadDependencies, loadRoutes, loadSchemas } from './operations/load-routes.ts';
import { Unavailable } from './coupon/outcome.ts';
import { type RecoveryDependencies, recoveryRoutes, recoverySchemas } from './operations/routes.ts';
import { unavailableAnswers } from './issuing/endpoint.ts';
import { type IssuingDependencies, issueRoutes, issueSchemas } from './issuing/routes.ts';

/** What the surface needs of the rest. */
export interface AppDependencies {
  readonly config: IssuingDependencies['config'] &
    CouponDependencies['config'] &
    HealthDependencies['config'] & {
      readonly URL_CHARACTERS_MAX: number;
      readonly TRUSTED_PROXIES?: string;
      readonly CORS_ORIGINS?: string;
    };
  readonly authority: Authority;
  /** null: not limited. */
  readonly limiters: { readonly user: Pick<Limiter, 'take'> | null; readonly address: Pick<Limiter, 'take'> | null };
  /** Without one, no CAPTCHA is required. */
  readonly humanVerifier?: HumanVerifier;
  readonly issuance: IssuingDependencies['issuance'];
  readonly issueOnce: IssuingDependencies['issueOnce'];
  readonly issues: IssuingDependencies['issues'];
  readonly progress: IssuingDependencies['progress'];
  readonly catalog: CouponDependencies['catalog'];
  readonly editor: CouponDependencies['editor'];
  readonly audit: RecoveryDependencies['audit'];
  readonly deadLetters: RecoveryDependencies['deadLetters'];
  readonly load: LoadDependencies['load'];
  /** The built pages. */
  readonly pages: readonly PageFile[];
  readonly readiness: HealthDependencies['readiness'];
  readonly metrics: IssuingDependencies['metrics'] & HealthDependencies['metrics'];
  readonly log: {
    error(fields: object, message: string): void;
  };
}

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
      : humanCheck(humanVerifier, config.RETRY_AFTER_S, (error) => log.error({ error }, 'could not check a CAPTCHA'));
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
      if (error instanceof Unavailable) return unavailable(error.reason);
      log.error({ route, error }, 'a request failed');
      return problem('INTERNAL');
    })
    .use(issueRoutes({ ...dependencies, userLimiter: limiters.user, isHuman }))
    .use(couponRoutes(dependencies))
    .use(recoveryRoutes(dependencies))
    .use(loadRoutes(dependencies))
    .use(keyRoutes(dependencies))
    .use(dropRoutes(dependencies))
    .use(healthRoutes(dependencies))
    .use(pageRoutes(dependencies.pages))
    .use(swaggerRoutes(schemas, dependencies.authority.isOn));
  const unknownRoute = routeRefuser(app.routes);
  return {
    fetch: envelope((request) => app.fetch(request), {
      urlCharactersMax: config.URL_CHARACTERS_MAX,
      corsOrigins: config.CORS_ORIGINS,
      limiter: limiters.address,
      addressOf: addressReader(config.TRUSTED_PROXIES),
    }),
  };
}

/** The schemas that the document names. */
const schemas = {
  ...issueSchemas,
  ...couponSchemas,
  ...recoverySchemas,
  ...loadSchemas,
  ...keySchemas,
  ...dropSchemas,
  ...healthSchemas,
};
