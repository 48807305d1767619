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
import { components, info, tags } from './openapi.ts';
import { isProblemCode, problem, problems } from '../problem.ts';
import { type Route, route } from '../route.ts';

const PATH = '/swagger';

const SCRIPT_TYPE = 'text/javascript; charset=utf-8';

/** Names under `/swagger/assets/`, and what each is. Nothing else is ever read from the disk. */
const assetTypes = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', SCRIPT_TYPE],
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
    .get(`${PATH}/start.js`, () => new Response(start, { headers: { 'content-type': SCRIPT_TYPE } }), {
      detail: { hide: true },
    })
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
  const file = createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`);
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
</head>
<body>
<div id="swagger-ui"></div>
<script src="${PATH}/assets/swagger-ui-bundle.js"></script>
<script src="${PATH}/start.js"></script>
</body>
</html>
`;

/** `validatorUrl: null`, since by default the address of the document is sent to a validator on the internet. */
const start = `SwaggerUIBundle({
  url: '${PATH}/json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;
