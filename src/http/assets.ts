// assets.ts -- Serves pages that were built before: HTML that is always revalidated, and what it loads, cached forever by its hash.
//
// The policy lets a browser load from this server alone, and runs nothing that stands in the page itself: operators type
// their key into one of these pages.

import { Elysia } from 'elysia';
import { problem } from './problem.ts';

/** A built file. */
export interface PageFile {
  /** Without a folder; what is not HTML has a hash in it, so that its bytes never change. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Where built HTML refers to its scripts and styles. */
export const ASSETS_PATH = '/pages/';

/** What answers `/drop/:couponId`, and its calendar file. */
export interface DropPage {
  page(request: Request, couponId: string): Promise<Response>;
  calendar(request: Request, couponId: string): Promise<Response>;
}

/**
 * `GET /console`, `/drop/:couponId` and what they load.
 *
 * @param files must hold `console.html`
 * @throws Error when it is missing
 */
export function pageRoutes(files: readonly PageFile[], drop: DropPage) {
  const assets = new Map(files.filter(({ name }) => !name.endsWith('.html')).map((file) => [file.name, file]));
  const consolePage = pageOf(files, 'console.html');
  return new Elysia({ name: 'pages' })
    .get('/', () => new Response(startPage, { headers: pageHeaders() }), hidden)
    .get('/console', () => new Response(consolePage, { headers: pageHeaders() }), hidden)
    .get('/drop/:couponId', ({ request, params }) => drop.page(request, params.couponId), hidden)
    .get('/drop/:couponId/start.ics', ({ request, params }) => drop.calendar(request, params.couponId), hidden)
    .get(`${ASSETS_PATH}:name`, ({ params }) => answerAsset(assets, params.name), hidden);
}

/** Where people begin who type the address of the server alone. */
const startPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Coupon issuing</title>
</head>
<body>
<h1>Coupon issuing</h1>
<ul>
<li><a href="/swagger">API documentation</a> (Swagger UI)</li>
<li><a href="/console">Console</a> for operators, 운영자 콘솔</li>
<li><a href="/drop/1">Drop page</a> of coupon 1, 고객 페이지</li>
</ul>
</body>
</html>
`;

/** For people, not for programs, and so not in the document. */
const hidden = { detail: { hide: true } };

/** @throws Error when it was not built */
export function pageOf(files: readonly PageFile[], name: string): Uint8Array<ArrayBuffer> {
  const file = files.find((one) => one.name === name);
  if (!file) throw new Error(`the pages were built without ${name}`);
  return file.bytes;
}

function answerAsset(assets: ReadonlyMap<string, PageFile>, name: string): Response {
  const asset = assets.get(name);
  const type = types[name.slice(name.lastIndexOf('.') + 1)];
  if (!asset || type === undefined) return problem('NOT_FOUND');
  return new Response(asset.bytes, {
    headers: {
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
    },
  });
}

const types: Readonly<Record<string, string | undefined>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** What a page may have from elsewhere: nothing, unless it is set. */
interface PagePolicy {
  /** Origins that may frame it. */
  readonly frameAncestors?: readonly string[];
  /** Origins of its images. */
  readonly images?: readonly string[];
}

export function pageHeaders({ frameAncestors = [], images = [] }: PagePolicy = {}) {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    ["img-src 'self'", ...images].join(' '),
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    ['frame-ancestors', ...(frameAncestors.length > 0 ? frameAncestors : ["'none'"])].join(' '),
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy,
    'cache-control': 'no-cache',
    'referrer-policy': 'no-referrer',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  };
}
