// serve.test.ts -- The app behind real servers, Bun and Deno: the same suite, the wire, and stopping without cutting an answer.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { readConfig } from '../../src/config/config.ts';
import { serve } from '../../src/runtime/serve.ts';
import { type Ask, servesTheSurface } from './conformance.ts';
import { BODY_BYTES_MAX, fakeApp, fakeInstallations, issueWithin } from './fakes.ts';
import { type Runtime, startSteered } from './steered-process.ts';
import { openWire } from './wire.ts';

const options = {
  host: '127.0.0.1',
  port: 0,
  onError: (error: unknown) => {
    throw error;
  },
};

/** A server with one slow coupon, 12: `entered` waits for a request for it, `release` lets that end. */
interface Started {
  readonly port: number;
  entered(): Promise<void>;
  release(): void;
  stop(): Promise<void>;
}

const runtimes: readonly [string, () => Promise<Started>][] = [
  ['bun', startBun],
  ['deno', startDeno],
];

for (const [runtime, start] of runtimes) {
  let server: Started | undefined;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => server?.stop());
  const port = () => {
    if (!server) throw new Error('the server did not start');
    return server.port;
  };
  const ask: Ask = (path, init) => fetch(`http://127.0.0.1:${port()}${path}`, { redirect: 'manual', ...init });
  servesTheSurface(runtime, ask);
  describe(`${runtime}: wire`, () => describeWire(port));
}

async function startBun(): Promise<Started> {
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const issue = issueWithin(() => {
    entered.resolve();
    return gate.promise;
  });
  const { port, stop } = await serve(fakeInstallations({ issuance: { issue } }).fetch, options);
  return { port, stop, entered: () => entered.promise, release: () => gate.resolve() };
}

/** Starts the app on fakes in a Deno process, which is steered by lines; see `deno-entry.ts`. */
async function startDeno(): Promise<Started> {
  const child = startSteered('deno', 'deno-entry.ts');
  return {
    port: Number(await child.line()),
    entered: async () => {
      const line = await child.line();
      expect(line).toBe('entered');
    },
    release: () => child.say('release'),
    stop: async () => {
      child.say('stop');
      const code = await child.exited;
      expect(code).toBe(0);
    },
  };
}

const head = (request: string, ...headers: string[]) =>
  `${[request, 'Host: localhost', ...headers].join('\r\n')}\r\n\r\n`;
const json = 'Content-Type: application/json';

function describeWire(port: () => number): void {
  test('a body that is announced too large is refused before it is sent', async () => {
    const wire = await openWire(port());
    wire.write(head('POST /v1/issue HTTP/1.1', json, 'Content-Length: 9000000000'));
    expect(await wire.until(/"requestId":"[^"]+"}/)).toMatch(/^HTTP\/1.1 413 [^]*PAYLOAD_TOO_LARGE/);
    wire.destroy();
  });

  test('a chunked body is refused as soon as it is too large, even if it never ends', async () => {
    const wire = await openWire(port());
    wire.write(head('POST /v1/issue HTTP/1.1', json, 'Transfer-Encoding: chunked'));
    for (let piece = 0; piece * 1024 <= BODY_BYTES_MAX; piece += 1) wire.write(`400\r\n${'x'.repeat(1024)}\r\n`);
    expect(await wire.until(/"requestId":"[^"]+"}/)).toMatch(/^HTTP\/1.1 413 [^]*PAYLOAD_TOO_LARGE/);
    wire.destroy();
  });

  test('a small chunked body is read, even if a character is split', async () => {
    const wire = await openWire(port());
    wire.write(head('POST /v2/issue-async HTTP/1.1', json, 'Transfer-Encoding: chunked'));
    wire.write('10\r\n{"couponId":1,"u\r\n10\r\nserId":1,"\xc3\r\n'.replace('10\r\nserId":1,"', 'b\r\nserId":1,"'));
    wire.write('5\r\n\xa9":1}\r\n0\r\n\r\n');
    expect(await wire.until(/"faults":.*}/)).toMatch(/^HTTP\/1.1 422 [^]*no members but couponId, userId/);
    wire.destroy();
  });

  test('one connection carries many requests, refused ones too', async () => {
    const wire = await openWire(port());
    for (const [body, status] of [
      ['{', 400],
      ['{}', 422],
      ['{"couponId":1,"userId":1}', 202],
      ['', 400],
    ] as const) {
      wire.write(head('POST /v2/issue-async HTTP/1.1', json, `Content-Length: ${body.length}`) + body);
      await wire.until(new RegExp(`HTTP/1.1 ${status} [^]*}$`));
    }
    wire.destroy();
  });

  test('the answer to HEAD ends with its headers, so that the next answer follows', async () => {
    for (const path of ['/hello', '/nope', '/v1/issue', '/swagger', '/v1/coupons/99/issues/1']) {
      const wire = await openWire(port());
      wire.write(head(`HEAD ${path} HTTP/1.1`));
      expect(await wire.until(/\r\n\r\n/)).toEndWith('\r\n\r\n');
      wire.write(head('GET /livez HTTP/1.1', 'Connection: close'));
      expect(await wire.until(/alive/)).toMatch(/^HTTP\/1.1 \d{3} [^{<]*\r\n\r\nHTTP\/1.1 200 [^{<]*alive/);
      wire.destroy();
    }
  });

  const hosts = [
    'x@y',
    'x:y@z',
    'x/y',
    'x/console?',
    'x?y',
    'x#y',
    'x\\y',
    'a b',
    '%zz',
    'x:99999',
    'x:abc',
    '[::1',
    '1.2.3.4.5',
    '\xc3\xa9',
  ];
  test.each(hosts)('the Host %p is refused, and moves no path', async (host) => {
    for (const path of [
      '/aaaaaaaaaa/console',
      '/aaaaaaa/v1/users/u1/issues',
      '/v1/users/u1/issues?limit=1',
      '/livez',
    ]) {
      const wire = await openWire(port());
      wire.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(await wire.closed()).toMatch(/^HTTP\/1.1 400 ([^]*`Host` is not a valid host|.*\r\n(.+\r\n)*\r\n$)/);
    }
  });

  test.each(['localhost', 'LOCALHOST:80', '127.0.0.1:3000', '[::1]:3000', 'api_1.internal', ''])(
    'the Host %p is taken',
    async (host) => {
      const wire = await openWire(port());
      wire.write(`GET /v1/users/u1/issues?limit=1 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(await wire.closed()).toMatch(/^HTTP\/1.1 200 /);
    },
  );

  test('HTTP/1.0 needs no Host', async () => {
    const wire = await openWire(port());
    wire.write('GET /v1/users/u1/issues?limit=1 HTTP/1.0\r\n\r\n');
    expect(await wire.closed()).toMatch(/^HTTP\/1.[01] 200 /);
  });

  const strange: readonly [string, string][] = [
    ['no HTTP', 'what\r\n\r\n'],
    ['an unknown method', head('BREW /v1/issue HTTP/1.1')],
    ['a path with raw bytes', head('GET /v1/coupons/1/issues/\xff\xfe HTTP/1.1')],
    ['a length that is no number', head('POST /v1/issue HTTP/1.1', json, 'Content-Length: abc')],
    ['a negative length', head('POST /v1/issue HTTP/1.1', json, 'Content-Length: -1')],
    ['two lengths', head('POST /v1/issue HTTP/1.1', json, 'Content-Length: 1', 'Content-Length: 2')],
    [
      'a length and pieces',
      `${head('POST /v1/issue HTTP/1.1', json, 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    ],
    ['pieces that are none', `${head('POST /v1/issue HTTP/1.1', json, 'Transfer-Encoding: chunked')}zz\r\n`],
    ['a header of 100 kB', head('GET /livez HTTP/1.1', `X: ${'x'.repeat(100_000)}`)],
    ['a path of 100 kB', head(`GET /${'x'.repeat(100_000)} HTTP/1.1`)],
  ];
  test.each(strange)('%s is refused or cut, never a 5xx, and the server goes on', async (_, text) => {
    const wire = await openWire(port());
    wire.write(text);
    const first = wire.until(/\r\n/).catch(String);
    expect(await first).toMatch(/^HTTP\/1.1 4\d\d |^Error: the connection ended after: $/);
    wire.destroy();
    const next = await openWire(port());
    next.write(head('GET /livez HTTP/1.1'));
    await next.until(/alive/);
    next.destroy();
  });
}

describe('a shared port', () => {
  /** A process of its own on a port that it shares. */
  async function startSharer(runtime: Runtime, sharedPort: number) {
    const child = startSteered(runtime, 'port-sharer.ts', String(sharedPort));
    return {
      port: Number(await child.line()),
      pid: String(child.pid),
      async stop() {
        child.leave();
        const code = await child.exited;
        expect(code).toBe(0);
      },
    };
  }

  /** Who answers on a connection of its own. */
  async function whoAnswers(port: number): Promise<string> {
    const wire = await openWire(port);
    wire.write(head('GET / HTTP/1.1', 'Connection: close'));
    const answer = await wire.closed();
    return /\d+$/.exec(answer.trimEnd())?.[0] ?? answer;
  }

  test.each<Runtime>(['bun', 'deno'])(
    'on %s two processes answer on one port, and one that stops leaves it to the other',
    async (runtime) => {
      const first = await startSharer(runtime, 0);
      const second = await startSharer(runtime, first.port);
      expect(second.port).toBe(first.port);
      const seen = new Set<string>();
      // The system chooses by address and port of the caller: that 100 of them all fall to one has odds of 2 to the 99th.
      for (let tries = 0; tries < 100 && seen.size < 2; tries += 1) seen.add(await whoAnswers(first.port));
      expect(seen).toEqual(new Set([first.pid, second.pid]));
      await first.stop();
      for (let tries = 0; tries < 10; tries += 1) expect(await whoAnswers(first.port)).toBe(second.pid);
      await second.stop();
    },
  );

  test('is shared only if both say so', async () => {
    const { app } = fakeApp();
    const server = await serve(app.fetch, options);
    const sharing = serve(app.fetch, { ...options, port: server.port, reusePort: true });
    await expect(sharing).rejects.toThrow('PORT: this port is taken');
    await server.stop();
  });
});

describe('stopping', () => {
  test.each(runtimes)(
    'on %s the answer under way is whole, idle connections close, new ones are refused',
    async (_, start) => {
      const server = await start();
      const [idle, busy] = await Promise.all([openWire(server.port), openWire(server.port)]);
      idle.write(head('GET /livez HTTP/1.1'));
      await idle.until(/alive/);
      const body = '{"couponId":12,"userId":1}';
      busy.write(head('POST /v1/issue HTTP/1.1', json, `Content-Length: ${body.length}`) + body);
      await server.entered();
      const stopping = server.stop();
      await idle.closed();
      await expect(openWire(server.port)).rejects.toThrow('ECONNREFUSED');
      expect(await Promise.race([stopping, busy.closed(), Promise.resolve('still serving')])).toBe('still serving');
      server.release();
      expect(await busy.until(/}$/)).toMatch(/^HTTP\/1.1 201 [^]*"sequence":9/);
      await stopping;
      await busy.closed();
    },
  );

  test('by default it listens on all addresses of IPv6 and IPv4', async () => {
    const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
    const { HOST: host } = readConfig(['HOST'], {});
    const server = await serve(fakeApp().app.fetch, { ...options, host });
    for (const name of hasIpv6 ? ['127.0.0.1', '127.0.0.2', '[::1]'] : ['127.0.0.1', '127.0.0.2'])
      expect(await (await fetch(`http://${name}:${server.port}/livez`)).text()).toBe('alive');
    await server.stop();
  });

  test('a taken port is an error, not a shared port', async () => {
    const { app } = fakeApp();
    const server = await serve(app.fetch, options);
    await expect(serve(app.fetch, { ...options, port: server.port })).rejects.toThrow('PORT: this port is taken');
    await server.stop();
  });

  test('localhost is both loopback addresses, and no other', async () => {
    const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
    const server = await serve(fakeApp().app.fetch, { ...options, host: 'localhost' });
    for (const host of hasIpv6 ? ['127.0.0.1', '[::1]', 'localhost'] : ['127.0.0.1', 'localhost'])
      expect(await (await fetch(`http://${host}:${server.port}/livez`)).text()).toBe('alive');
    await expect(fetch(`http://127.0.0.2:${server.port}/livez`)).rejects.toThrow();
    if (hasIpv6) {
      await expect(serve(fakeApp().app.fetch, { ...options, host: '::1', port: server.port })).rejects.toThrow('PORT');
    }
    await server.stop();
    await expect(fetch(`http://[::1]:${server.port}/livez`)).rejects.toThrow();
  });

  test('an idle connection is kept for as long as the setting says', async () => {
    const server = await serve(fakeApp().app.fetch, { ...options, keepAliveS: 1 });
    const [lasting, longest] = await Promise.all(
      [0, 255].map((keepAliveS) => serve(fakeApp().app.fetch, { ...options, keepAliveS })),
    );
    const kept = await openWire(lasting?.port ?? 0);
    kept.write(head('GET /livez HTTP/1.1'));
    await kept.until(/alive/);
    const lastingMs = await new Promise<number>((resolve) => {
      const startMs = performance.now();
      const socket = connect(server.port, '127.0.0.1', () => socket.write('GET /livez HTTP/1.1\r\nhost: a\r\n\r\n'));
      socket.on('data', () => undefined).on('close', () => resolve(performance.now() - startMs));
    });
    // The runtime looks every few seconds; without the setting it would be 72 to 76.
    expect(lastingMs).toBeLessThan(60_000);
    // One that is kept without end is there when the other is gone.
    kept.write(head('GET /hello HTTP/1.1'));
    await kept.until(/hello/);
    kept.destroy();
    for (const each of [server, lasting, longest]) await each?.stop();
  }, 70_000);

  test('the address of a server is one that can be opened', async () => {
    for (const host of ['127.0.0.1', '0.0.0.0', '::', 'localhost']) {
      const server = await serve(fakeApp().app.fetch, { ...options, host });
      expect(await (await fetch(`${server.url}/livez`)).text()).toBe('alive');
      await server.stop();
    }
  });
});
