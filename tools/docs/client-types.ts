// client-types.ts -- The types of the client, made from the OpenAPI document: `bun run docs` writes them.
import { plugin } from 'bun';
import { resolve } from 'node:path';
// The generator builds its output with the API of TypeScript 5, which TypeScript 7 does not have.
import typescript from 'typescript-5';
import { fakeApp } from '../../test/http/fakes.ts';

const root = resolve(import.meta.dirname, '../..');

/** Where the types are. */
export const clientTypesFile = resolve(root, 'client/api-types.ts');

const head =
  '// api-types.ts -- What the server takes and answers, generated from its OpenAPI document by `bun run docs`.\n\n';

/** The text of `client/api-types.ts`: one type for each schema of the document, and the codes of problems as values. */
export async function clientTypes(): Promise<string> {
  plugin({
    name: 'typescript-5',
    setup: (build) => {
      build.module('typescript', () => ({ exports: { default: typescript }, loader: 'object' }));
    },
  });
  const { default: toTypes, astToString } = await import('openapi-typescript');
  const answer = await fakeApp().app.fetch(new Request('http://localhost/swagger/json'));
  const { openapi, info, components } = (await answer.json()) as OpenApi;
  // Paths are left out: the client names them itself, and the schemas are all that it shares with the server.
  const schemas = { openapi, info, paths: {}, components: { schemas: components.schemas } };
  const options = { immutable: true, rootTypes: true, rootTypesNoSchemaPrefix: true };
  const types = astToString(await toTypes(JSON.stringify(schemas), options));
  const codes = JSON.stringify(components.schemas.Problem.properties.code.enum);
  return await formatted(`${head}${types}\nexport const problemCodes: readonly Problem['code'][] = ${codes};\n`);
}

interface OpenApi {
  readonly openapi: string;
  readonly info: object;
  readonly components: {
    readonly schemas: {
      readonly Problem: { readonly properties: { readonly code: { readonly enum: readonly string[] } } };
    };
  };
}

async function formatted(text: string): Promise<string> {
  const args = ['--bun', 'run', 'biome', 'format', `--stdin-file-path=${clientTypesFile}`];
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: root,
    stdin: new Blob([text]),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`the types cannot be formatted: ${err}`);
  return out;
}
