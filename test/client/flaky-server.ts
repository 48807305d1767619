// flaky-server.ts -- A server before the app that does to each request what a bad network or a proxy would, in a given order.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { App } from '../../src/app.ts';

/** What happens to one request. `lost reply`: the app carries the request out, and the connection breaks before the response. */
export type Mishap =
  | 'lost reply'
  | 'reset'
  | 'silence'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };

export interface FlakyServer extends AsyncDisposable {
  readonly url: string;
  /** Method and path of every request, in order of arrival. */
  readonly requests: readonly string[];
  /** Headers of every request. */
  readonly headers: readonly Headers[];
}

/** Starts it. The mishaps befall the first requests; the rest goes through. */
export async function startFlakyServer(app: App, mishaps: readonly Mishap[] = []): Promise<FlakyServer> {
  const requests: string[] = [];
  const headers: Headers[] = [];
  const left = [...mishaps];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    headers.push(headersIn(request));
    answer(app, left.shift(), request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the flaky server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    headers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  app: App,
  mishap: Mishap | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (mishap === 'silence') return;
  if (mishap === 'reset') {
    request.socket.resetAndDestroy();
    return;
  }
  if (typeof mishap === 'object') {
    response.writeHead(mishap.status, mishap.headers).end(mishap.body ?? '');
    return;
  }
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const answered = await app.fetch(await toRequest(request, gone.signal));
  if (mishap === 'lost reply') {
    request.socket.destroy();
    return;
  }
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  for await (const chunk of answered.body ?? []) response.write(chunk);
  response.end();
}

async function toRequest(request: IncomingMessage, signal: AbortSignal): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
  const { method = 'GET' } = request;
  return new Request(`http://localhost${request.url}`, {
    method,
    headers: headersIn(request),
    body: method === 'GET' ? null : Buffer.concat(chunks),
    signal,
  });
}

function headersIn(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headersDistinct)) headers.set(name, (value ?? []).join(', '));
  return headers;
}
