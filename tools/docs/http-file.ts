// http-file.ts -- `examples/requests.http`, every operation as a request that editors send (IntelliJ, VS Code), made from the OpenAPI document.

import { resolve } from 'node:path';
import { fakeApp } from '../../test/http/fakes.ts';

const root = resolve(import.meta.dirname, '../..');

/** Where it is. */
export const httpFile = resolve(root, 'examples/requests.http');

interface Operation {
  readonly summary: string;
  readonly security: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly example?: unknown }[];
  readonly requestBody?: {
    readonly content: Readonly<
      Record<string, { readonly examples: Readonly<Record<string, { readonly value: unknown }>> }>
    >;
  };
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The text of the file. Without a token where nobody must show one. */
export async function requestsFile(): Promise<string> {
  const answer = await fakeApp().app.fetch(new Request('http://localhost/swagger/json'));
  const { paths } = (await answer.json()) as OpenApi;
  const requests = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => requestText(method.toUpperCase(), path, operation)),
  );
  const head = [
    '# requests.http -- Every operation of the API, made from its OpenAPI document by `bun run docs`. The key is that of `bun run dev`.',
    '',
    '@url = http://localhost:3000',
    '@key = local-development-key-not-a-secret',
    '',
  ];
  return [...head, ...requests].join('\n');
}

function requestText(method: string, path: string, { summary, security, parameters, requestBody }: Operation): string {
  const target = (parameters ?? [])
    .filter((parameter) => parameter.in === 'path')
    .reduce((text, { name, example }) => text.replace(`{${name}}`, encodeURIComponent(String(example))), path);
  const [example] = Object.values(requestBody?.content['application/json']?.examples ?? {});
  return [
    `### ${summary}`,
    `${method} {{url}}${target}`,
    ...(security.length > 0 ? ['Authorization: Bearer {{key}}'] : []),
    ...(example ? ['Content-Type: application/json', '', JSON.stringify(example.value, null, 2)] : []),
    '',
  ].join('\n');
}
