// nginx.test.ts -- The proxy as it is shipped, under attack: no address takes all places, every error is a problem document, and no Host
// moves a path past a rule. On addresses of the loopback, each of which is another caller.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isProblemCode, problems } from '../../src/http/document/problems.ts';
import { serve } from '../../src/runtime/serve.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { findNginx } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { fakeApp, fakeInstallations, issueWithin } from '../http/fakes.ts';
import { type NginxOptions, startNginx } from './nginx.ts';

const root = mkdtempSync(join(tmpdir(), 'nginx-'));
const undo: (() => unknown)[] = [() => rmSync(root, { recursive: true })];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

let started = 0;
async function nginx(options: Omit<NginxOptions, 'folder'>): Promise<PrivateServer> {
  started += 1;
  const server = await startNginx({ folder: join(root, `nginx-${started}`), ...options });
  undo.push(() => server.stop());
  return server;
}

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends bytes on a connection of its own, from one of the addresses of the loopback, and reads the answer. */
function ask(port: number, request: string, from = '127.0.0.1'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      // nginx goes on reading for a while what it has refused.
      const { head, body } = parse(text);
      if (body.length === Number(/^content-length: (\d+)/m.exec(head)?.[1] ?? -1)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(parse(text)));
    socket.write(request, 'latin1');
  });
}

function parse(text: string): Answer {
  const end = text.indexOf('\r\n\r\n');
  return {
    status: Number(/^HTTP\/1\.\d (\d+)/.exec(text)?.[1] ?? 0),
    head: text.slice(0, end).toLowerCase(),
    body: text.slice(end + 4),
  };
}

const get = (target: string, host = 'localhost') =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

function issue(couponId: number): string {
  const body = `{"couponId":${couponId},"userId":1}`;
  const headers = `Host: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  return `POST /v2/issue-async HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n${body}`;
}

/** Expects an answer that clients can branch on, as the API would give it. Returns its code. */
function problemIn({ status, head, body }: Answer): string {
  expect(head).toContain('content-type: application/problem+json');
  expect(head).toContain('x-content-type-options: nosniff');
  const { type, code, title, requestId, ...rest } = JSON.parse(body) as Record<string, string>;
  expect(head).toContain(`x-request-id: ${requestId}`);
  if (code === undefined || !isProblemCode(code)) return expect.unreachable(`no code of the table: ${body}`);
  const { status: known, title: words } = problems[code];
  expect([type, title, Number(rest['status']), status]).toEqual([`/problems/${code}`, words, known, known]);
  return code;
}

describe.skipIf(findNginx() === undefined)('the proxy as shipped', () => {
  const gate = Promise.withResolvers<void>();
  let waiting = 0;
  let apis: readonly [number, number] = [0, 0];
  let proxy: PrivateServer | undefined;
  const port = () => proxy?.port ?? expect.unreachable('nginx did not start');

  beforeAll(async () => {
    const slow = issueWithin(async () => {
      waiting += 1;
      await gate.promise;
    });
    const start = async () => {
      const onError = (error: unknown) => {
        throw error;
      };
      const app = fakeInstallations({ issuance: { issue: slow } });
      const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError });
      undo.push(() => server.stop());
      return server.port;
    };
    apis = [await start(), await start()];
    proxy = await nginx({ apis });
  });

  test('an address has 4,096 requests under way; the others are answered all the while, and so is /livez', async () => {
    const beyond = 40;
    const flood: Socket[] = [];
    const refused: Answer[] = [];
    const lost: string[] = [];
    for (let i = 0; i < 4096 + beyond; i += 1) {
      const socket = connect({ port: port(), host: '127.0.0.1', localAddress: '127.0.0.2' });
      let text = '';
      socket.on('data', (bytes) => (text += bytes.toString('latin1')));
      socket.on('error', (error) => (text ||= error.message));
      socket.on('close', () => (text.startsWith('HTTP/1.1 429') ? refused.push(parse(text)) : lost.push(text)));
      socket.write(issue(12));
      flood.push(socket);
      if (i % 500 === 0) {
        expect(await ask(port(), issue(1), '127.0.0.1')).toMatchObject({ status: 202 });
        expect(await ask(port(), get('/livez'), '127.0.0.2')).toMatchObject({ status: 200, body: 'alive' });
      }
    }
    await eventually('every request to wait or to end', () => waiting + refused.length + lost.length >= 4096 + beyond);
    expect([waiting, refused.length, lost]).toEqual([4096, beyond, []]);
    for (const answer of refused) {
      expect(problemIn(answer)).toBe('TOO_MANY_REQUESTS');
    }
    // Spread, so that they do not come back together.
    const waits = refused.map(({ head }) => /^retry-after: (\d+)/m.exec(head)?.[1]);
    expect(new Set(waits)).toEqual(new Set(['1', '2', '3']));
    expect(problemIn(await ask(port(), issue(1), '127.0.0.2'))).toBe('TOO_MANY_REQUESTS');
    expect(await ask(port(), get('/livez'), '127.0.0.2')).toMatchObject({ status: 200 });
    const others = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(port(), issue(1), `127.0.1.${i}`)));
    expect(others.filter(({ status }) => status !== 202)).toEqual([]);
    gate.resolve();
    for (const socket of flood) socket.removeAllListeners('close').destroy();
  });

  test('a crowd of 3,000 behind one address is let in, each on a connection of its own', async () => {
    const crowd = await Promise.all(Array.from({ length: 3000 }, () => ask(port(), issue(1), '127.0.0.3')));
    expect(crowd.filter(({ status }) => status !== 202)).toEqual([]);
  });

  test('a stall of both APIs costs time, and nobody their answer', async () => {
    const program = `const { port } = Bun.serve({ port: 0, fetch: () => new Response('there') }); console.log(port)`;
    const child = Bun.spawn([process.execPath, '-e', program], { stdout: 'pipe' });
    undo.push(() => child.kill('SIGKILL'));
    const { value } = await child.stdout.getReader().read();
    const stalling = Number(new TextDecoder().decode(value));
    const { port: before } = await nginx({ apis: [stalling, stalling] });
    child.kill('SIGSTOP');
    const crowd = Array.from({ length: 1500 }, () => ask(before, get('/hello'), '127.0.0.5'));
    // Longer than two tries of a second, and shorter than the third of the system.
    await Bun.sleep(2500);
    child.kill('SIGCONT');
    expect((await Promise.all(crowd)).filter(({ body }) => body !== 'there')).toEqual([]);
  });

  test('connections that never ask, or ask by the letter, keep no one out', async () => {
    const idle = Array.from({ length: 3000 }, (_, i) => {
      const socket = connect({ port: port(), host: '127.0.0.1', localAddress: '127.0.0.4' });
      socket.on('error', () => {});
      if (i % 2) socket.write('GET /hello HTTP/1.1\r\nHo');
      return socket;
    });
    await eventually('all to be connected', () => idle.every(({ connecting }) => !connecting));
    for (const from of ['127.0.0.1', '127.0.0.4'])
      expect(await ask(port(), issue(1), from)).toMatchObject({ status: 202 });
    for (const socket of idle) socket.destroy();
  });

  const malformed: readonly [string, string, string][] = [
    ['no HTTP', 'what\r\n\r\n', 'MALFORMED_REQUEST'],
    ['no Host in HTTP/1.1', 'GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n', 'MALFORMED_REQUEST'],
    ['two Hosts', get('/hello', 'a\r\nHost: b'), 'MALFORMED_REQUEST'],
    ['a URL that is too long', get(`/${'x'.repeat(20_000)}`), 'MALFORMED_REQUEST'],
    ['a header that is too large', get('/hello', `a\r\nX: ${'x'.repeat(20_000)}`), 'MALFORMED_REQUEST'],
    ['a coding that is unknown', get('/hello', 'a\r\nTransfer-Encoding: br'), 'MALFORMED_REQUEST'],
    ['a version that is unknown', 'GET /hello HTTP/9.1\r\nHost: a\r\n\r\n', 'MALFORMED_REQUEST'],
    ['a length and pieces', get('/hello', 'a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked'), 'MALFORMED_REQUEST'],
    ['a body that is too large', get('/v1/issue', 'a\r\nContent-Length: 900000'), 'PAYLOAD_TOO_LARGE'],
    [
      'a body that the API finds too large',
      get('/v1/issue', 'a')
        .replace('GET', 'POST')
        .replace('\r\n\r\n', `\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n${' '.repeat(9000)}`),
      'PAYLOAD_TOO_LARGE',
    ],
    ['TRACE', get('/hello').replace('GET', 'TRACE'), 'METHOD_NOT_ALLOWED'],
    ['a page of nginx', get('/_proxy/malformed'), 'NOT_FOUND'],
    ['a path that is not there', get('/nope'), 'NOT_FOUND'],
  ];
  test.each(malformed)('%s is answered by a problem document', async (_, request, code) => {
    expect(problemIn(await ask(port(), request))).toBe(code);
  });

  test('an API that is not there, breaks off or does not answer in time is 503, and to be asked again', async () => {
    const breaking = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (bytes) => (bytes.includes('/silent') ? undefined : socket.destroy()));
    });
    await new Promise<void>((resolve) => breaking.listen(0, '127.0.0.1', resolve));
    undo.push(() => breaking.close());
    const address = breaking.address();
    const broken = address !== null && typeof address === 'object' ? address.port : 0;
    const [none, another] = [await freePort(), await freePort()];
    const quick = { 'proxy_read_timeout 75s': 'proxy_read_timeout 300ms' };
    for (const [ports, target] of [
      [[none, another], '/hello'],
      [[broken, broken], '/hello'],
      [[broken, broken], '/silent'],
    ] as const) {
      const answer = await ask((await nginx({ apis: ports, replace: quick })).port, get(target));
      expect(problemIn(answer)).toBe('FAIL_COUPON_ISSUE_REQUEST');
      expect(answer.head).toMatch(/^retry-after: [123]\b/m);
    }
  });

  test('an address that asks too often is refused, and nobody else', async () => {
    const slower = { 'rate=5000r/s': 'rate=1r/s' };
    const text = {
      ...slower,
      'location / {\n  limit_conn requests 4096;\n  limit_req zone=rate burst=20000 nodelay;':
        'location / {\n  limit_req zone=rate burst=20 nodelay;',
    };
    const { port: slow } = await nginx({ apis, replace: text });
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(slow, get('/hello'), '127.0.0.2')));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeWithin(30, 40);
    for (const answer of refused) expect(problemIn(answer)).toBe('TOO_MANY_REQUESTS');
    expect(await ask(slow, get('/hello'), '127.0.0.3')).toMatchObject({ status: 200 });
    expect(await ask(slow, get('/livez'), '127.0.0.2')).toMatchObject({ status: 200 });
  });

  test('no Host and no target moves a path past a rule', async () => {
    const rule = { 'location = /livez {': 'location /console { return 403; }\nlocation = /livez {' };
    const { port: ruled } = await nginx({ apis, replace: rule });
    expect(problemIn(await ask(ruled, get('/console')))).toBe('FORBIDDEN');
    for (const host of ['x@y', 'x:y@z', 'x?y', 'x#y', 'x\\y', 'a b', '%zz', 'x:abc', '\xc3\xa9']) {
      for (const target of ['/aaaaaaaaaa/console', '/console', '/hello'])
        expect(problemIn(await ask(ruled, get(target, host)))).toMatch(/MALFORMED_REQUEST|FORBIDDEN/);
    }
    for (const target of [
      '/x\\..\\console',
      '/x/../console',
      '//console',
      '/%63onsole',
      '/./console',
      '/x/%2e%2e/console',
      '/console?x',
    ])
      expect(problemIn(await ask(ruled, get(target)))).toMatch(/MALFORMED_REQUEST|FORBIDDEN|NOT_FOUND/);
  });

  test.each(['localhost', 'shop.example:3000', '127.0.0.1', '[::1]:8080'])('the Host %p is passed on', async (host) => {
    const request = `GET /v1/users/u1/issues HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    expect(await ask(port(), request)).toMatchObject({ status: 200 });
  });

  test('HTTP/1.0 needs no Host', async () => {
    expect(await ask(port(), 'GET /hello HTTP/1.0\r\n\r\n')).toMatchObject({ status: 200 });
  });

  test('requests that are pipelined are all answered, in turn', async () => {
    const socket = connect({ port: port(), host: '127.0.0.1' });
    let text = '';
    socket.on('data', (bytes) => (text += bytes.toString('latin1')));
    const ended = new Promise((done) => socket.once('close', done));
    const kept = (target: string) => get(target).replace('Connection: close\r\n', '');
    socket.write(kept('/hello') + issue(1).replace('Connection: close\r\n', '') + kept('/livez') + get('/nope'));
    await ended;
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '202', '200', '404']);
  });

  test('an event arrives while the stream is open', async () => {
    const { app } = fakeApp({
      progress: {
        async listen(couponId, listener) {
          listener.next({
            couponId,
            version: 1,
            totalQuantity: 9,
            issued: 1,
            left: 8,
            unpersisted: 0,
            paused: false,
            issuedPerSecond: 0,
          });
          return () => {};
        },
        recent: async () => null,
      },
    });
    const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: () => {} });
    const { url } = await nginx({ apis: [server.port, server.port] });
    const left = new AbortController();
    const { body } = await fetch(`${url}/v1/coupons/1/events`, { signal: left.signal });
    let text = '';
    for await (const piece of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += piece;
      if (text.includes('"issued":1')) break;
    }
    expect(text).toContain('"issued":1');
    left.abort();
    await server.stop(100);
  });

  test('the state of a drop is asked for once, however many want it, and is never old; nothing else is kept', async () => {
    const own = {
      'x-request-id': 'of-the-api',
      'ratelimit-limit': '5',
      'ratelimit-remaining': '4',
      'ratelimit-reset': '3',
    };
    let asked: string[] = [];
    let state = 'first';
    const answer = async (request: Request) => {
      const { pathname, search } = new URL(request.url);
      asked.push(pathname + search);
      await Bun.sleep(50);
      const kept = pathname === '/v1/drops/7' || pathname === '/v1/coupons/7';
      const caching = kept ? 'public, max-age=1, stale-while-revalidate=1' : 'no-store';
      return new Response(`${pathname} ${state}`, { headers: { ...own, 'cache-control': caching } });
    };
    const server = await serve(answer, { host: '127.0.0.1', port: 0, onError: () => expect.unreachable() });
    undo.push(() => server.stop());
    const cached = await nginx({ apis: [server.port, server.port] });
    const askAll = async (path: string, count: number, targetOf: (i: number) => string = () => path) => {
      asked = [];
      const answers = await Promise.all(Array.from({ length: count }, (_, i) => ask(cached.port, get(targetOf(i)))));
      expect(answers.filter(({ status, body }) => status !== 200 || !body.includes(`${path} ${state}`))).toEqual([]);
      return answers;
    };
    const answers = await askAll('/v1/drops/7', 200, (i) => (i % 2 ? `/v1/drops/7?visitor=${i}` : '/v1/drops/%37'));
    // More than one only where a loaded machine takes longer than a second for all of them.
    expect(asked.length).toBeWithin(1, 20);
    expect(new Set(asked)).toEqual(new Set(['/v1/drops/7']));
    const ids = answers.map(({ head }) => /^x-request-id: (.+)\r?$/m.exec(head)?.[1]);
    expect(new Set(ids).size).toBe(200);
    expect(ids).not.toContain('of-the-api');
    expect(answers.filter(({ head }) => head.includes('ratelimit'))).toEqual([]);
    state = 'second';
    // For as long as the last answer may be served: one second, and one more while the next is on its way.
    await Bun.sleep(2500);
    await askAll('/v1/drops/7', 20);
    for (const path of ['/v1/drops/8', '/v1/coupons/7', '/v1/drops']) {
      await askAll(path, 20);
      expect(asked.length).toBe(20);
    }
  });

  test('with TLS it speaks HTTP/2, and its errors are the same', async () => {
    const tlsPort = await freePort();
    await nginx({ apis, tlsPort });
    const session = connectHttp2(`https://127.0.0.1:${tlsPort}`, { rejectUnauthorized: false });
    undo.push(() => session.destroy());
    const call = (path: string) =>
      new Promise<[number, string]>((resolve, reject) => {
        const stream = session.request({ ':path': path });
        let status = 0;
        let text = '';
        stream.on('response', (headers) => (status = Number(headers[':status'])));
        stream.on('data', (bytes: Buffer) => (text += bytes.toString()));
        stream.on('end', () => resolve([status, text])).on('error', reject);
        stream.end();
      });
    expect(await call('/livez')).toEqual([200, 'alive']);
    const [status, text] = await call('/x\\y');
    expect([status, JSON.parse(text)]).toMatchObject([400, { code: 'MALFORMED_REQUEST' }]);
  });
});
