// swagger.ts -- The documentation as pages: Swagger UI, the OpenAPI document, and a page for each error code.
//
// Every byte comes from this server, and the page's policy lets the browser fetch from nowhere else: a reader of the
// documentation types the operators' key into it.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { swagger } from '@elysiajs/swagger';
import { Type } from '@sinclair/typebox';
import { Elysia } from 'elysia';
import { components, info } from './openapi.ts';
import { tags } from './tags.ts';
import { problem } from '../problem.ts';
import { isProblemCode, problems } from './problems.ts';
import { type Route, route } from '../route.ts';

const PATH = '/swagger';

/** Ours; the other assets are of Swagger UI. */
const START = 'swagger-start.js';
const SCRIPT_TYPE = 'text/javascript; charset=utf-8';

/** Names under `/swagger/assets/`, and what each is. Nothing else is ever read from the disk. */
const assetTypes = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', SCRIPT_TYPE],
  [START, SCRIPT_TYPE],
  ['favicon-32x32.png', 'image/png'],
]);

/**
 * `GET /swagger`, `/swagger/json` and `/swagger/assets/:name`.
 *
 * @param routes what the document describes
 * @param isAuthOn whether users and backends must authenticate
 */
export function swaggerRoutes(routes: readonly Route[], isAuthOn: boolean) {
  const assets: Assets = new Map();
  return new Elysia({ name: 'documentation' })
    .use(
      swagger({
        path: PATH,
        specPath: `${PATH}/json`,
        // Its own page loads scripts from a public network; ours, below, takes the same path and so replaces it.
        provider: 'swagger-ui',
        documentation: {
          info,
          servers: [{ url: '/', description: 'This server' }],
          tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
          components: components(
            routes.map(({ declaration }) => declaration),
            isAuthOn,
          ),
        },
      }),
    )
    .get(PATH, () => new Response(page, { headers: pageHeaders }), { detail: { hide: true } })
    .get(`${PATH}/assets/:name`, ({ params, request }) => answerAsset(assets, params.name, request), {
      detail: { hide: true },
    });
}

/** Where the `type` of every problem document points. */
export const problemRoute = route(
  'GET',
  '/problems/:code',
  {
    operationId: 'explainProblem',
    tag: 'service',
    summary: 'Explain an error code',
    description: 'The `type` of every problem document points here.',
    params: {
      code: {
        schema: Type.String({ enum: Object.keys(problems), description: 'a code' }),
        example: 'INVALID_COUPON_ISSUE_QUANTITY',
        read: (code: string | null) => code ?? '',
      },
    },
    answers: {
      200: {
        description: 'The code in words.',
        example: 'INVALID_COUPON_ISSUE_QUANTITY (409): Sold out\n\nAll pieces of this coupon have been issued.\n',
      },
    },
    problems: ['NOT_FOUND'],
  },
  ({ params: { code } }) => {
    if (!isProblemCode(code)) return problem('NOT_FOUND');
    const { status, title, when } = problems[code];
    return new Response(`${code} (${status}): ${title}\n\n${when}\n`, {
      headers: { 'content-type': 'text/plain; charset=utf-8' },
    });
  },
);

type Assets = Map<string, ReturnType<typeof readAsset>>;

async function answerAsset(assets: Assets, name: string, request: Request): Promise<Response> {
  const type = assetTypes.get(name);
  if (type === undefined) return problem('NOT_FOUND');
  // Read once, at the first request: a process that only issues coupons never holds them.
  const asset = assets.get(name) ?? readAsset(name);
  assets.set(name, asset);
  const { bytes, etag } = await asset;
  const headers = { etag, 'cache-control': 'public, max-age=3600' };
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers });
  return new Response(bytes, { headers: { ...headers, 'content-type': type } });
}

async function readAsset(name: string) {
  const file =
    name === START
      ? new URL(START, import.meta.url)
      : createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`);
  const bytes = new Uint8Array(await readFile(file));
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

/** Scripts only from our own files; Swagger UI writes style attributes and draws icons from `data:`. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': policy,
  'referrer-policy': 'no-referrer',
};

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title}</title>
<link rel="icon" href="${PATH}/assets/favicon-32x32.png">
<link rel="stylesheet" href="${PATH}/assets/swagger-ui.css">
<style>
html.dark-mode { background: #1c2022; }
.swagger-ui .filter .operation-filter-input { margin: 20px 0; padding: 10px; width: 100%; border: 1px solid #6b6b6b; }
.swagger-ui .fold { padding: 0; border: 0; background: none; color: inherit; font: inherit; text-align: left; cursor: pointer; }
.swagger-ui .samples { padding: 15px 20px; }
.swagger-ui .samples pre { margin: 10px 0 0; padding: 12px; overflow-x: auto; border-radius: 4px; background: #1b1b1b; color: #fff; }
.swagger-ui .sample { margin: 0 8px 4px 0; padding: 4px 12px; border: 1px solid #6b6b6b; border-radius: 4px; background: none; }
.swagger-ui .sample { color: inherit; cursor: pointer; }
.swagger-ui .sample[aria-pressed='true'] { background: #0e6eb8; color: #fff; }
</style>
</head>
<body>
<div id="swagger-ui"></div>
<script src="${PATH}/assets/swagger-ui-bundle.js"></script>
<script src="${PATH}/assets/${START}"></script>
</body>
</html>
`;
