// fuzzer.test.ts -- Schemathesis reads the document, sends what it allows and what it forbids to a running system, and finds no fault.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKey } from '../../src/auth/api-key-store.ts';
import { runCommand } from '../../tools/stack/run-command.ts';
import { findFuzzer } from '../../tools/test-programs.ts';
import { AUDIENCE, ISSUER, SECRET, sign } from '../http/tokens.ts';
import { endStarted, startEntry } from '../started-entry.ts';
import { openStores, type Stores } from '../stores.ts';

const OPERATOR_KEY = 'a-key-of-the-operator-of-the-fuzzer';
const USER = 'a-user-of-the-fuzzer';
/** With it, each run sends other requests in all phases, for so many seconds. */
const GIVEN_S = process.env['TEST_FUZZER_S'];
/** Without it, each run has other phases, and sends the same requests each time. */
const PHASES = { off: 'examples,coverage', on: 'examples,fuzzing' } as const;

const fuzzer = findFuzzer() ?? '';
const folder = mkdtempSync(join(tmpdir(), 'coupon-fuzzer-'));
let stores: Stores;
beforeAll(async () => {
  stores = await openStores();
  await stores.startWorker();
});
afterEach(endStarted);
afterAll(async () => {
  await stores.close();
  rmSync(folder, { recursive: true });
});

describe.skipIf(fuzzer === '')('a fuzzer that reads the document', () => {
  test.each(['off', 'on'] as const)(
    'finds no fault with AUTH=%s',
    async (AUTH) => {
      const tokens = { JWT_SECRET: SECRET, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE };
      const environment = { AUTH, ADMIN_API_KEY: OPERATOR_KEY, ...(AUTH === 'on' && tokens) };
      const server = startEntry(stores, 'src/server.ts', { environment });
      const found = await fuzz(`${await server.url()}/swagger/json`, await configOf(AUTH === 'on'), PHASES[AUTH]);
      expect({ ...found, log: faultsIn(server.logOf()) }).toMatchObject({ ok: true, log: [] });
      // Every operation was tried, each several times.
      const [, selected, tested] = /Selected: \d+\/(\d+)\n +Tested: (\d+)\n/.exec(found.output) ?? [];
      expect([selected, tested, Number(selected) > 20]).toEqual([tested, tested, true]);
      expect(Number(/(\d+) generated/.exec(found.output)?.[1])).toBeGreaterThan(Number(tested) * 5);
    },
    300_000,
  );

  test('finds an answer that the document does not have', async () => {
    const answers = { 200: { description: 'ok', content: { 'application/json': { schema: { type: 'integer' } } } } };
    const paths = { '/a': { get: { operationId: 'a', responses: answers } } };
    const document = { openapi: '3.0.3', info: { title: 'a', version: '1' }, paths };
    await using server = Bun.serve({
      port: 0,
      fetch: ({ url }) => Response.json(url.endsWith('/json') ? document : 'not a number'),
    });
    const { ok, output } = await fuzz(`${server.url.href}json`, '', 'coverage');
    expect([ok, /Response violates schema/.test(output)]).toEqual([false, true]);
  });
});

/** Runs it over a document; `output` names every fault, and how to repeat it with curl. */
async function fuzz(document: string, config: string, phases: string) {
  const file = join(folder, `${crypto.randomUUID()}.toml`);
  await Bun.write(file, config);
  const work =
    GIVEN_S === undefined
      ? [`--phases=${phases}`, '--max-examples=5', '--generation-deterministic']
      : [`--max-time=${GIVEN_S}`, '--max-examples=200', '--generation-database=none'];
  // One worker: with two, Python 3.11 may fail to read its own modules.
  const options = ['--workers=1', '--continue-on-failure', '--no-shrink', '--no-color', '--warnings=off'];
  return await runCommand(fuzzer, ['--config-file', file, 'run', document, ...work, ...options], { folder });
}

/** Answers to a request that is as the document says. All but 412 are the fuzzer's own. */
const accepted = '"2xx", "3xx", 401, 403, 404, 409, 412, 429, "5xx"';

/** Coupons that exist, callers for each scheme of the document, and answers that are right though a schema cannot say why. */
async function configOf(isOn: boolean): Promise<string> {
  const nowMs = Date.now();
  const made = await Promise.all([
    stores.coupon({ totalQuantity: null }),
    stores.coupon({ totalQuantity: 3 }),
    stores.coupon({ startMs: nowMs + 3_600_000 }),
    stores.coupon({ startMs: nowMs - 60_000, endMs: nowMs - 1 }),
  ]);
  const { key: backend } = await createKey(stores.database, { name: 'fuzzer', scopes: ['issue'] });
  const callers = { operator: OPERATOR_KEY, ...(isOn && { backend, user: await sign({ claims: { sub: USER } }) }) };
  const schemes = Object.entries(callers).map(([name, bearer]) => `[auth.openapi.${name}]\nbearer = "${bearer}"`);
  return `
# Of a stream that would go on for 20 seconds.
max-stream-events = 1

# 412: no schema knows which version a coupon has.
[checks.positive_data_acceptance]
expected-statuses = [${accepted}]

# 422: no schema says that the end is after the start, that a text has something to see, which time zones, currencies and codes there are,
# how many placeholders a pattern has, which URLs a webhook may have, and which idempotency keys were used. Beside If-Match, which it finds
# no value for, the fuzzer takes an empty header for allowed.
[[operations]]
include-operation-id = [
  "createCoupon", "editCoupon", "deleteCoupon", "useIssue", "undoUse", "revokeIssue", "reportIssues",
  "generateCodes", "importCodes", "useCode", "createWebhook",
  "issueSynchronously", "issueWithLock", "issueWithScript",
]
checks.positive_data_acceptance.expected-statuses = [${accepted}, 422]

# The body is text in OpenAPI 3.0. The fuzzer takes its schema for that of one event, as 3.2 has it.
[[operations]]
include-operation-id = "followCoupon"
checks.response_schema_conformance.enabled = false

# An id that is sent as a number is taken as its text, which OpenAPI 3.0 cannot say.
[[operations]]
include-operation-id = "issueToMany"
checks.negative_data_rejection.expected-statuses = [200, 400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429, "5xx"]

[dictionaries.coupons]
values = [${made.map(({ id }) => id).join(', ')}]
[dictionaries.users]
values = ["${USER}"]

[parameters]
"path.couponId" = { dictionary = "coupons", probability = 0.5 }
"body.couponId" = { dictionary = "coupons", probability = 0.5 }
"path.userId" = { dictionary = "users", probability = 0.5 }
"body.userId" = { dictionary = "users", probability = 0.5 }

${schemes.join('\n')}
`;
}

/** What the server could not answer. */
function faultsIn(log: string): readonly string[] {
  return log.split('\n').filter((line) => line.includes('"level":50'));
}
