// serve.ts -- Serves an app on Bun or Deno. Beside the entries and page-files.ts, the only file that knows the runtime.
//
// It takes the app's `fetch` on both runtimes. Elysia's own `listen` would use Bun's router; measured, that made no difference
// that could be seen, and it shares its port with any other process that asks for it.

import { setTimeout as pause } from 'node:timers/promises';
import type { App } from '../app.ts';
import type { PeerOf } from '../http/rate-limit/address.ts';
import { OperatorError } from '../operator-error.ts';
import { guardFiles } from './file-limit.ts';
import { lengthenBacklog } from './listen-backlog.ts';

export interface ServeOptions {
  /** `localhost` is both loopback addresses, as far as there is IPv6. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Lets other processes that say so too listen on the same port; the system spreads new connections over them. Off by default. */
  readonly reusePort?: boolean;
  /** How long an idle connection is kept, 0 without end; 75 by default. On Deno it is never closed. */
  readonly keepAliveS?: number;
  /** The setting that `port` comes from, for a fault to name. By default PORT. */
  readonly portSetting?: string;
  /** Hears that the server accepts nothing more, or again, for lack of files. Only with it, and on Bun, are they looked after. */
  onRefusing?(isRefusing: boolean): void;
  /** Tells of an error that the app did not turn into an answer, which is a bug. */
  onError(error: unknown): void;
}

/** A server that listens. */
export interface Listening {
  readonly url: string;
  readonly port: number;
  /**
   * Takes no more connections, closes idle ones, and resolves when every request under way has its whole answer.
   *
   * @param waitMsMax then the rest is cut off, on Deno by the end of the process; without it, a client that never reads its answer is waited for without end
   */
  stop(waitMsMax?: number): Promise<void>;
}

/** One line that names the setting and the cure. Some runtimes give no code. */
function listenFault(cause: unknown, portSetting: string): string {
  switch (cause instanceof Error && 'code' in cause ? cause.code : undefined) {
    case 'EADDRINUSE':
      return `${portSetting}: this port is taken; stop what listens there, or set it to another`;
    case 'EACCES':
      return `${portSetting}: this user may not listen on this port; set it to one above 1023`;
    default:
      return 'HOST: nobody can listen on this address; set it to one of this machine, or to :: for all of them';
  }
}

/**
 * Serves `fetch`.
 *
 * @throws OperatorError when the port is taken or not allowed, or the address is not of this machine
 */
export async function serve(fetch: App['fetch'], options: ServeOptions): Promise<Listening> {
  const listen = typeof Bun === 'undefined' ? serveOnDeno : serveOnBun;
  try {
    if (options.host === 'localhost') return await serveOnLoopback(listen, fetch, options);
    return options.host === '::' ? serveOnAll(listen, fetch, options) : listen(fetch, options);
  } catch (error) {
    throw new OperatorError(listenFault(error, options.portSetting ?? 'PORT'), { cause: error });
  }
}

/** All addresses of both kinds; of IPv4 alone where the system has no IPv6. */
function serveOnAll(listen: typeof serveOnBun, fetch: App['fetch'], options: ServeOptions): Listening {
  try {
    return listen(fetch, options);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') throw error;
    return listen(fetch, { ...options, host: '0.0.0.0' });
  }
}

/** By its name alone, runtimes listen on one of the two addresses, and callers may try the other. */
async function serveOnLoopback(
  listen: typeof serveOnBun,
  fetch: App['fetch'],
  options: ServeOptions,
): Promise<Listening> {
  const first = listen(fetch, { ...options, host: '127.0.0.1' });
  const { port } = first;
  try {
    const second = listen(fetch, { ...options, host: '::1', port });
    const stop = async (waitMsMax?: number) =>
      void (await Promise.all([first.stop(waitMsMax), second.stop(waitMsMax)]));
    return { url: addressOf('localhost', port), port, stop };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'))
      return { ...first, url: addressOf('localhost', port) };
    await first.stop();
    throw error;
  }
}

function serveOnBun(fetch: App['fetch'], options: ServeOptions): Listening {
  const { host, onRefusing } = options;
  let server = listenOnBun(fetch, options);
  const port = server.port ?? options.port;
  /** Servers that accept nothing more, with the end of their last answer. */
  const former = new Map<typeof server, Promise<unknown>>();
  const retire = (retired: typeof server) =>
    former.set(
      retired,
      retired.stop().finally(() => former.delete(retired)),
    );
  const endGuard =
    onRefusing &&
    guardFiles({
      closeIdle: () => server.closeIdleConnections(),
      refuse: () => {
        retire(server);
        onRefusing(true);
      },
      accept: () => {
        try {
          server = listenOnBun(fetch, { ...options, port });
        } catch {
          // Another process may have taken the port, or the last file.
          return false;
        }
        onRefusing(false);
        return true;
      },
    });
  return {
    url: addressOf(host, port),
    port,
    // Resolves after the last byte of the last answer has gone out. Connections on which nothing was ever asked stay open
    // until they are idle for too long, or the process ends: Bun has no way to close them.
    stop: (waitMsMax) => {
      endGuard?.();
      if (!former.has(server)) retire(server);
      return finishWithin(Promise.all(former.values()), waitMsMax, () =>
        Promise.all([...former.keys()].map((each) => each.stop(true))),
      );
    },
  };
}

function listenOnBun(fetch: App['fetch'], { host, port, reusePort = false, keepAliveS = 75, onError }: ServeOptions) {
  const peerOf: PeerOf = (request) => server.requestIP(request)?.address ?? null;
  const server = Bun.serve({
    hostname: host,
    port,
    // Only when set explicitly: otherwise a second server on the port is a mistake, and silently takes half of the requests.
    reusePort,
    idleTimeout: keepAliveS,
    // The app keeps the limit, and answers with a problem document; Bun's own refusal is empty. Nothing is buffered ahead of
    // the app's reading, so no memory depends on this: measured with bodies of 512 MB.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    // Bun's own error page shows source code.
    development: false,
    fetch: (request) => fetch(request, peerOf),
    error: (error) => {
      onError(error);
      return new Response(null, { status: 500 });
    },
  });
  lengthenBacklog(server.port ?? port);
  return server;
}

/** Waits for the end of all answers; when it takes too long, cuts off those that are left. */
async function finishWithin(
  finished: Promise<unknown>,
  waitMsMax: number | undefined,
  cut: () => unknown,
): Promise<void> {
  if (waitMsMax === undefined) return void (await finished);
  const late = await Promise.race([finished, pause(waitMsMax, 'late', { ref: false })]);
  if (late === 'late') await cut();
}

/** Where a request came from. A socket of the file system has no host. */
interface DenoInfo {
  readonly remoteAddr: { readonly hostname?: string };
}

/** The little of Deno that is used here; its types would clash with Bun's. */
interface DenoRuntime {
  serve(
    options: {
      hostname: string;
      port: number;
      reusePort: boolean;
      onListen(): void;
      onError(error: unknown): Response;
    },
    handler: (request: Request, info: DenoInfo) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
}

function serveOnDeno(fetch: App['fetch'], { host, port, reusePort = false, onError }: ServeOptions): Listening {
  const { Deno } = globalThis as unknown as { Deno: DenoRuntime };
  const server = Deno.serve(
    {
      hostname: host,
      port,
      reusePort,
      // By default it prints a line of its own.
      onListen: () => {},
      onError: (error) => {
        onError(error);
        return new Response(null, { status: 500 });
      },
    },
    (request, { remoteAddr }) => fetch(request, () => remoteAddr.hostname ?? null),
  );
  return {
    url: addressOf(host, server.addr.port),
    port: server.addr.port,
    // Once it is shutting down, Deno has no way to close what is left: the end of the process does.
    stop: (waitMsMax) => finishWithin(server.shutdown(), waitMsMax, () => {}),
  };
}

/** An address that can be opened: the wildcard addresses stand for this machine. */
function addressOf(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
