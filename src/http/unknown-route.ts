// unknown-route.ts -- The answer where no route matches: 405 with `Allow` for a known path under another method, else 404.

import type { Elysia } from 'elysia';
import { problem } from './problem.ts';

/** Makes the answer to a request that none of the app's routes took. */
export function routeRefuser(routes: Elysia['routes']): (request: Request) => Response {
  const known = routes.map(({ method, path }) => ({ method, pattern: new URLPattern({ pathname: `${path}{/}?` }) }));
  return (request) => {
    const methods = new Set(known.filter(({ pattern }) => pattern.test(request.url)).map(({ method }) => method));
    if (methods.size === 0) return problem('NOT_FOUND');
    // Whatever answers GET answers HEAD.
    if (methods.has('GET')) methods.add('HEAD');
    return problem('METHOD_NOT_ALLOWED', undefined, undefined, { allow: [...methods].sort().join(', ') });
  };
}
