// The load commands refuse what they cannot do in one clear line, with a code that is not 0, before any load is sent.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { settings } from '../../src/config/settings.ts';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BenchError } from '../../bench/bench-error.ts';
import { findK6, findLocust, locustVersion } from '../../bench/suites/tool.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { startChild } from '../../tools/stack/child-process.ts';

const root = resolve(import.meta.dirname, '../..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coupon-suites-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A system whose readiness and operators' routes answer as given, and that counts all other requests. */
function fakeTarget(readyStatus: number, couponsStatus: number) {
  let load = 0;
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === '/readyz') return new Response('{"ready":\n"perhaps"}', { status: readyStatus });
      if (pathname === '/v1/coupons' && request.method === 'GET') return new Response('no', { status: couponsStatus });
      load += 1;
      return new Response(null, { status: 500 });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, load: () => load, stop: () => server.stop(true) };
}

async function command(
  args: string[],
  environment: Record<string, string>,
): Promise<{ ended: string; stdout: string; stderr: string }> {
  const child = await startChild({
    program: process.execPath,
    args,
    stdio: ['ignore', 'pipe', 'pipe'],
    folder: root,
    environment: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
  });
  const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
  return { ended: await child.ended, stdout: await stdout, stderr: await stderr };
}

async function textOf(stream: AsyncIterable<string | Buffer> | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += chunk.toString();
  return text;
}

const k6 = 'bench/k6/run.ts';
const locust = 'bench/locust/run.ts';
const stores = {
  ADMIN_API_KEY: 'k',
  DATABASE_URL: 'mysql://nobody@127.0.0.1:1/none',
  REDIS_URL: 'redis://127.0.0.1:1',
};

const refused: [name: string, args: string[], environment: Record<string, string>, says: string][] = [
  ['an unknown scenario', [k6, 'panic'], {}, 'unknown scenario "panic": expected one of steady, rush, spike, soak'],
  [
    'an unknown script',
    [k6, 'rush', 'v9'],
    {},
    'unknown script "v9": expected one of mixed, hello, issue, issue-async-v1, issue-async-v2',
  ],
  [
    'an unknown class',
    [locust, 'User'],
    {},
    'unknown class "User": expected one of mixed, hello, issue, issue-async-v1, issue-async-v2',
  ],
  ['an unknown flag', ['bench/bench.ts', '--fast'], {}, '--fast is unknown; see bun run bench --help'],
  ['an argument too many', [locust, 'mixed', 'hello'], {}, 'unknown argument "hello"'],
  ['a rate that is no number', [k6], { RATE: '1e3' }, 'RATE is wrong: expected a whole number from 1 to 999999999'],
  [
    'a duration without a unit',
    [k6],
    { DURATION: '30' },
    'DURATION is wrong: expected a duration such as 30s, 10m or 1h',
  ],
  [
    'a target that is not a URL',
    [k6],
    { TARGET: 'localhost:3000' },
    'TARGET is not a URL: expected one such as http://localhost:3000',
  ],
  [
    'a target whose stores are not named',
    [k6],
    { TARGET: 'http://127.0.0.1:1', ADMIN_API_KEY: 'k' },
    'DATABASE_URL, REDIS_URL not set: with TARGET they say how to make a coupon and where to verify it',
  ],
  [
    'a verification of nothing',
    ['bench/verify.ts'],
    {},
    'Say what to verify: bun bench/verify.ts <folder of a record, or id of a coupon>',
  ],
  [
    'a verification of stores that are not named',
    ['bench/verify.ts', '1'],
    { DATABASE_URL: stores.DATABASE_URL },
    `REDIS_URL is not set: ${settings.properties.REDIS_URL.description}`,
  ],
  [
    'a verification of stores that are not there',
    ['bench/verify.ts', '1'],
    stores,
    [
      'REDIS_URL: Redis cannot be used (ECONNREFUSED): nothing listens there; start it, or correct host and port',
      'DATABASE_URL: MySQL cannot be used (ECONNREFUSED): nothing listens there; start it, or correct host and port',
    ].join('\n'),
  ],
];

for (const [name, args, environment, says] of refused) {
  test(`refused, in a line for each fault: ${name}`, async () => {
    expect(await command(args, environment)).toEqual({ ended: 'code 2', stdout: '', stderr: `${says}\n` });
  });
}

for (const suite of [k6, locust]) {
  test(`${suite} refuses a target at which no process listens`, async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { ended, stderr } = await command([suite], { ...stores, TARGET: url });
    expect({ ended, lines: stderr.split('\n').length }).toEqual({ ended: 'code 2', lines: 2 });
    expect(stderr).toStartWith(`TARGET cannot be reached: ${url}/readyz: `);
  });

  test(`${suite} sends nothing to a target that is not ready, or where it is no operator`, async () => {
    for (const [readyStatus, couponsStatus, says] of [
      [503, 200, 'TARGET is not ready: URL/readyz answers 503 {"ready": "perhaps"}'],
      [200, 403, 'a coupon cannot be created: URL/v1/coupons answers 403 no; see ADMIN_API_KEY'],
    ] as const) {
      const target = fakeTarget(readyStatus, couponsStatus);
      const { ended, stderr } = await command([suite], { ...stores, TARGET: `${target.url}/` });
      await target.stop();
      const expected = { ended: 'code 2', stderr: `${says.replace('URL', target.url)}\n`, load: 0 };
      expect({ ended, stderr, load: target.load() }).toEqual(expected);
    }
  });
}

test.each([
  ['return true', 'code 0', /^$/],
  ['return false', 'code 1', /^$/],
  ["throw new FailedRun('rows are missing')", 'code 1', /^rows are missing\n$/],
  ["throw new BenchError('no wrk')", 'code 2', /^no wrk\n$/],
  ["throw new Error('a bug')", 'code 2', /a bug[^]*\n +at /],
])('a command that ends with `%s` has its exit code, and a stack only for a bug', async (end, code, says) => {
  const script = [
    "import { BenchError, FailedRun } from './bench/bench-error.ts';",
    "import { runCommand } from './bench/command.ts';",
    `await runCommand('usage', async () => { ${end}; });`,
  ];
  const { ended, stderr } = await command(['--eval', script.join('\n')], {});
  expect(ended).toBe(code);
  expect(stderr).toMatch(says);
});

test.each([
  ['bench/bench.ts', ['--quick', '--growth', 'Exit code']],
  ['bench/verify.ts', ['DATABASE_URL', 'Exit code']],
  [k6, ['steady', 'issue-async-v2', 'P99_MS_MAX', 'TARGET']],
  [locust, ['mixed', 'issue-async-v2', 'PROCESSES', 'TARGET']],
])('asked for help, %s prints its arguments and settings, and sends nothing', async (program, words) => {
  const { ended, stdout, stderr } = await command([program, '--help'], {});
  expect({ ended, stderr }).toEqual({ ended: 'code 0', stderr: '' });
  for (const word of words) expect(stdout).toContain(word);
});

test('a tool that is neither here nor can be had is named, with the way to get it', async () => {
  const nowhere = { folder: join(folder, 'empty'), find: () => undefined };
  await expect(findK6(nowhere)).rejects.toThrow(BenchError);
  await expect(findK6(nowhere)).rejects.toThrow(/^k6 not found: install it .*, or Go, which can build it$/);
  await expect(findLocust(nowhere)).rejects.toThrow(BenchError);
  await expect(findLocust(nowhere)).rejects.toThrow(/^Locust not found: install it .*, or Python/);
});

test('a tool whose making fails says why, and leaves no half of it behind', async () => {
  const failing = join(folder, 'failing');
  writeFileSync(failing, '#!/bin/sh\necho no network here; exit 1\n');
  chmodSync(failing, 0o755);
  const places = {
    folder: join(folder, 'half'),
    find: (name: string) => (/go|python/.test(name) ? failing : undefined),
  };
  mkdirSync(join(places.folder, 'locust/bin'), { recursive: true });
  await expect(findK6(places)).rejects.toThrow(/Go could not: no network here$/);
  await expect(findLocust(places)).rejects.toThrow(/Python could not: no network here$/);
});

test('a tool on the path is taken as it is', async () => {
  const places = { folder: join(folder, 'unused'), find: (name: string) => `/usr/bin/${name}` };
  expect(await findK6(places)).toBe('/usr/bin/k6');
  expect(await findLocust(places)).toBe('/usr/bin/locust');
});

test('the compose file runs the Locust that the command installs', () => {
  const compose = readFileSync(join(root, 'bench/locust/compose.yaml'), 'utf8');
  const parsed = Bun.YAML.parse(compose);
  expect(parsed).toMatchObject({
    services: {
      master: { image: `locustio/locust:${locustVersion}` },
      worker: { image: `locustio/locust:${locustVersion}` },
    },
  });
});
