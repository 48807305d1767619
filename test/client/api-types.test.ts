// api-types.test.ts -- The types of the client are those of the OpenAPI document, and need nothing beside themselves.

import { expect, test } from 'bun:test';
import { clientTypes, clientTypesFile } from '../../tools/docs/client-types.ts';

test('client/api-types.ts is what the document gives', async () => {
  expect(await Bun.file(clientTypesFile).text(), 'run `bun run docs`').toBe(await clientTypes());
});

test('the types import nothing', async () => {
  expect(await Bun.file(clientTypesFile).text()).not.toMatch(/\bimport\b|\brequire\b/);
});
