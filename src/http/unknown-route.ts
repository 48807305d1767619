// unknown-route.ts -- The answer where no route matches: 405 with `Allow` for a known path under another method, else 404.

import { problem } from './problem.ts';

/** A route as the framework lists it; `:name` in a path stands for one segment. */
export interface KnownRoute {
  readonly method: string;
  readonly path: string;
}

/** Makes the answer to a request that no route took. */
export function routeRefuser(routes: readonly KnownRoute[]): (request: Request) => Response {
  const known = routes.map(({ method, path }) => ({ method, pattern: new URLPattern({ pathname: `${path}{/}?` }) }));
  return (request) => {
    const methods = new Set(known.filter(({ pattern }) => pattern.test(request.url)).map(({ method }) => method));
    if (methods.size === 0) return problem('NOT_FOUND');
    // Whatever answers GET answers HEAD.
    if (methods.has('GET')) methods.add('HEAD');
    return problem('METHOD_NOT_ALLOWED', undefined, undefined, { allow: [...methods].sort().join(', ') });
  };
}
