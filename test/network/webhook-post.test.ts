// webhook-post.test.ts -- What a receiver of webhooks can do to the worker: redirect it, keep it waiting, send without end; none of it
// takes longer than it may, and nothing but the address that was checked is connected to.

import { afterAll, describe, expect, test } from 'bun:test';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Answer } from '../../src/webhooks/post.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { type Runtime, type SteeredProcess, startSteered } from '../http/steered-process.ts';
import type { PostRequest } from '../http/webhook-post-entry.ts';

const folder = mkdtempSync(join(tmpdir(), 'webhook-post-'));
const undo: (() => void)[] = [() => rmSync(folder, { recursive: true })];
afterAll(() => {
  for (const step of undo.reverse()) step();
});

/** Sends in a process on that runtime. */
function senderOn(runtime: Runtime) {
  let started: SteeredProcess | undefined;
  return async (url: string, change: Omit<PostRequest, 'url'> = {}) => {
    if (!started) {
      const process = startSteered(runtime, 'webhook-post-entry.ts');
      undo.push(() => process.kill());
      started = process;
    }
    started.say(JSON.stringify({ url, ...change } satisfies PostRequest));
    return JSON.parse(await started.line()) as {
      readonly answer: Answer;
      readonly resolved: number;
      readonly tookMs: number;
    };
  };
}

function listen(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
    undo.push(() => {
      server.closeAllConnections();
      server.close();
    });
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += String(piece);
  return body;
}

const late = { status: null, error: 'did not answer in time', retryAfterMs: null } as const;

describe.each(['bun', 'deno'] as const)('on %s', (runtime) => {
  const send = senderOn(runtime);

  test('a request has the body, its length, the headers and the host of the URL', async () => {
    const seen: unknown[] = [];
    const url = await listen((request, response) => {
      void bodyOf(request).then((body) => {
        const { host, 'content-length': length, 'webhook-id': id } = request.headers;
        seen.push({ method: request.method, path: request.url, body, host, length, id });
        response.writeHead(204).end();
      });
    });
    expect((await send(`${url}/hooks?token=1`)).answer).toEqual({ status: 204, error: null, retryAfterMs: null });
    expect(seen).toEqual([
      {
        method: 'POST',
        path: '/hooks?token=1',
        body: '{"a":"가"}',
        host: new URL(url).host,
        length: '11',
        id: 'msg_1',
      },
    ]);
  });

  test('a redirect is a failure, and is not followed', async () => {
    let followed = 0;
    const target = await listen((_, response) => {
      followed += 1;
      response.writeHead(204).end();
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await listen((_, response) => response.writeHead(status, { location: target }).end());
      expect((await send(url)).answer).toEqual({ status, error: `answered ${status}`, retryAfterMs: null });
    }
    expect(followed).toBe(0);
  });

  test('a status that is no success is a failure, with how long to wait where it says so', async () => {
    for (const [status, retryAfter, retryAfterMs] of [
      [400, undefined, null],
      [410, undefined, null],
      [429, '120', 120_000],
      [503, 'Wed, 21 Oct 2026 07:28:00 GMT', null],
    ] as const) {
      const url = await listen((_, response) =>
        response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end('no'),
      );
      expect((await send(url)).answer).toEqual({ status, error: `answered ${status}`, retryAfterMs });
    }
  });

  test('who never answers, or a letter of the headers at a time, is left in time', async () => {
    const silent = await listen(() => undefined);
    const slow = createSocketServer((socket) => {
      let sent = 0;
      const timer = setInterval(() => {
        const text = 'HTTP/1.1 204 No Content\r\n';
        socket.write(sent < text.length ? (text[sent] ?? '') : 'a');
        sent += 1;
      }, 20);
      socket.on('error', () => undefined).on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    undo.push(() => slow.close());
    for (const url of [silent, `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`]) {
      const { answer, tookMs } = await send(url);
      expect(answer).toEqual(late);
      expect(tookMs).toBeLessThan(3000);
    }
  });

  test('a name that is not resolved in time is given up', async () => {
    expect((await send('http://shop.example:1/', { address: null })).answer).toEqual(late);
  });

  test('of an answer without end nothing is read but its head', async () => {
    let bytes = 0;
    const closed = Promise.withResolvers<void>();
    const url = await listen((_, response) => {
      response.writeHead(200);
      const piece = Buffer.alloc(65_536);
      const write = () => {
        while (!response.destroyed && bytes < 2 ** 30) {
          bytes += piece.length;
          if (!response.write(piece)) return void response.once('drain', write);
        }
      };
      response.on('close', closed.resolve).on('error', () => undefined);
      write();
    });
    expect((await send(url)).answer).toEqual({ status: 200, error: null, retryAfterMs: null });
    await closed.promise;
    // No more than what the buffers of both sides take.
    expect(bytes).toBeLessThan(64 * 2 ** 20);
  });

  test('what is no answer of HTTP, and who does not listen, are failures in a few words', async () => {
    const other = createSocketServer((socket) => socket.on('error', () => undefined).end('hello, I speak SMTP\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const { answer: spoken } = await send(`http://127.0.0.1:${port}/?secret=1`);
    expect(spoken.status).toBeNull();
    expect(spoken.error).not.toMatch(/secret|SMTP/);
    other.close();
    const { answer } = await send(`http://127.0.0.1:${port}/`);
    expect(answer).toMatchObject({
      status: null,
      error: expect.stringMatching(/^(ECONNREFUSED|ConnectionRefused)$/) as unknown,
    });
  });

  test('a worker that stops ends its request', async () => {
    const url = await listen(() => undefined);
    const { answer } = await send(url, { abortAfterMs: 50, timeMsMax: 60_000 });
    expect(answer).toEqual({ status: null, error: 'was stopped', retryAfterMs: null });
  });

  test('a name that leads to a private address is not connected to, also when it was public before', async () => {
    let requests = 0;
    const url = await listen((_, response) => {
      requests += 1;
      response.writeHead(204).end();
    });
    const { port } = new URL(url);
    const address = '127.0.0.1';
    const target = `http://rebound.example:${port}/`;
    const error = 'the host name resolves to a private address';
    const refused = await send(target, { address, isPrivateAllowed: false });
    expect(refused).toMatchObject({ answer: { status: null, error, retryAfterMs: null }, resolved: 1 });
    expect((await send(url, { isPrivateAllowed: false })).answer).toMatchObject({ error });
    expect(requests).toBe(0);
    // The name is resolved once for a request: what it leads to a moment later does not matter.
    expect(await send(target, { address })).toMatchObject({ answer: { status: 204 }, resolved: 1 });
    expect(requests).toBe(1);
  });

  test('the certificate is that of the name, though the connection goes to an address', async () => {
    const { ca, cert, key } = await certificateOf('DNS:shop.example');
    const seen: unknown[] = [];
    const server = createTlsServer({ cert, key }, (request, response) => {
      seen.push(request.headers.host);
      response.writeHead(204).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    undo.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const address = '127.0.0.1';
    expect((await send(`https://shop.example:${port}/`, { address, ca })).answer).toEqual({
      status: 204,
      error: null,
      retryAfterMs: null,
    });
    expect(seen).toEqual([`shop.example:${port}`]);
    // Another name, and an authority that nobody knows.
    expect((await send(`https://other.example:${port}/`, { address, ca })).answer).toMatchObject({ status: null });
    expect((await send(`https://shop.example:${port}/`, { address })).answer).toMatchObject({ status: null });
    expect((await send(`https://127.0.0.1:${port}/`, { ca })).answer).toMatchObject({ status: null });
    expect(seen).toHaveLength(1);
  });
});

/** Signed by an authority that no machine knows. */
async function certificateOf(alternative: string) {
  const at = (name: string) => join(folder, name);
  const make = ['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=test'];
  await mustRun('openssl', [...make, '-x509', '-days', '2', '-keyout', at('ca.key'), '-out', at('ca.pem')]);
  writeFileSync(at('extensions'), `subjectAltName=${alternative}`);
  await mustRun('openssl', [...make, '-keyout', at('key'), '-out', at('request')]);
  const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('extensions')];
  await mustRun('openssl', ['x509', '-req', '-in', at('request'), ...signer, '-days', '2', '-out', at('pem')]);
  const read = (name: string) => readFileSync(at(name), 'utf8');
  return { ca: read('ca.pem'), cert: read('pem'), key: read('key') };
}
