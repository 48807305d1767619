// generated-clients.ts -- Clients generated from the OpenAPI document compile, issue a coupon, and read the code of a refusal.
//
// Run by `bun run test:generators`: it takes minutes, and is not among the tests of `bun run test`.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/app.ts';
import { serve } from '../../src/runtime/serve.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createAuthMetrics } from '../../src/auth/metrics.ts';
import { openAccess } from '../../src/wiring/access.ts';
import { pages, ready } from '../http/fakes.ts';
import { openStores, type Stores } from '../stores.ts';
import { languages, missingFor } from './languages.ts';

const MINUTES_10 = 600_000;

let stores: Stores;
let url: string;
let folder: string;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  stores = await openStores();
  undo.push(stores.close);
  const api = await stores.createApi();
  const config = stores.configWith({ AUTH: 'off' });
  const log = createLog('api', 'silent');
  const access = await openAccess({
    config,
    database: stores.database,
    redis: stores.redis,
    log,
    metrics: createAuthMetrics(),
  });
  undo.push(access.stop);
  const app = createApp({ ...api, ...access, pages, config, readiness: async () => ready, log });
  const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: (error) => log.error({ error }, '') });
  undo.push(() => server.stop());
  url = server.url;
  folder = await mkdtemp(join(tmpdir(), 'generated-clients-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

for (const language of languages) {
  const missing = missingFor(language);
  const name = `the client for ${language.name} issues a coupon, and reads the code of a refusal`;
  test.skipIf(missing.length > 0)(
    name,
    async () => {
      const { id } = await stores.coupon();
      const own = join(folder, language.name);
      await mkdir(own);
      await writeFile(join(own, 'openapi.json'), await (await fetch(`${url}/swagger/json`)).text());
      const printed = await language.run({ folder: own, url, couponId: id });
      expect(printed).toBe('ACCEPTED 1\nDUPLICATED_COUPON_ISSUE 1');
    },
    MINUTES_10,
  );
}
