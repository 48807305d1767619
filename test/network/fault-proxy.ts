// fault-proxy.ts -- A TCP proxy that does to a connection what networks do: delay, reset, half-open, and the reply that is lost after
// the request arrived. It knows no protocol: a request is recognized by the text that is in it.

import { connect, createServer, type Server, type Socket } from 'node:net';

/** How bytes fare from now on. */
export type Weather =
  | { readonly kind: 'clear' }
  /** Each piece, in both directions, arrives later by so much; the order is kept. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Open connections are reset immediately, and so is every new one. */
  | { readonly kind: 'reset' }
  /** What is open now stays open, and nothing passes there ever again, as when the other side lost its power. New ones are clear. */
  | { readonly kind: 'half-open' };

export interface FaultProxy {
  readonly port: number;
  /** Changes the weather for all connections, those that are open too. */
  set(weather: Weather): void;
  /**
   * The next request in which `text` occurs, on any connection, is forwarded; as soon as its reply begins, which shows that it was
   * carried out, that is thrown away and the connection reset. Replies to what was asked before pass.
   *
   * @param occurrence 2: not the next but the one after it, and so on
   * @returns resolves when a reply was dropped
   */
  dropReplyTo(text: string, occurrence?: number): Promise<void>;
  close(): Promise<void>;
}

/** One connection through the proxy. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes still under way keep their order by waiting for those before them. */
  toServer: Promise<void>;
  toClient: Promise<void>;
  /** The reply that begins next is to be thrown away. */
  drop: (() => void) | null;
  /** Half-open: whatever arrives is swallowed. */
  frozen: boolean;
}

interface Trap {
  readonly text: string;
  passing: number;
  readonly caught: () => void;
}

/** Starts a proxy on a free port, to a port of this machine. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  let weather: Weather = { kind: 'clear' };
  let trap: Trap | null = null;
  const takeTrap = (bytes: string | Buffer): Trap | null => {
    if (!trap || !bytes.includes(trap.text)) return null;
    if (trap.passing > 0) {
      trap.passing -= 1;
      return null;
    }
    const sprung = trap;
    trap = null;
    return sprung;
  };
  const server = createServer({ noDelay: true }, (client) => {
    if (weather.kind === 'reset') client.resetAndDestroy();
    else openPair(client, targetPort, pairs, () => weather, takeTrap);
  });
  const port = await listen(server);
  return {
    port,
    set(next) {
      weather = next;
      if (next.kind === 'reset') for (const pair of pairs) end(pair);
      if (next.kind === 'half-open') for (const pair of pairs) pair.frozen = true;
    },
    dropReplyTo: (text, occurrence = 1) =>
      new Promise((resolve) => {
        trap = { text, passing: occurrence - 1, caught: resolve };
      }),
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const pair of pairs) end(pair);
      return closed;
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve(address.port);
      else reject(new Error('the proxy has no port'));
    });
  });
}

function openPair(
  client: Socket,
  targetPort: number,
  pairs: Set<Pair>,
  weatherNow: () => Weather,
  takeTrap: (bytes: string | Buffer) => Trap | null,
): void {
  const server = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
  const pair: Pair = {
    client,
    server,
    toServer: Promise.resolve(),
    toClient: Promise.resolve(),
    drop: null,
    frozen: false,
  };
  pairs.add(pair);
  const gone = (): void => {
    pairs.delete(pair);
    // A half-open connection does not learn that the other side is gone.
    if (!pair.frozen) end(pair);
  };
  for (const socket of [client, server]) socket.on('error', gone).on('close', gone);
  client.on('data', (bytes) => {
    if (pair.frozen) return;
    const sprung = takeTrap(bytes);
    if (sprung) pair.drop = sprung.caught;
    pair.toServer = passOn(pair.toServer, server, bytes, weatherNow());
  });
  server.on('data', (bytes) => {
    if (pair.frozen) return;
    if (pair.drop) {
      pair.drop();
      end(pair);
      return;
    }
    pair.toClient = passOn(pair.toClient, client, bytes, weatherNow());
  });
}

async function passOn(before: Promise<void>, to: Socket, bytes: string | Buffer, weather: Weather): Promise<void> {
  const due = weather.kind === 'delay' ? new Promise((resolve) => setTimeout(resolve, weather.delayMs)) : null;
  await before;
  await due;
  if (!to.destroyed) to.write(bytes);
}

function end({ client, server }: Pair): void {
  client.resetAndDestroy();
  server.destroy();
}
