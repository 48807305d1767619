// tcp-proxy.ts -- Stands between a process and its server, and breaks what is between them: outages and lost replies.

import { createServer, connect as connectTcp, type Socket } from 'node:net';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** The server's URL, through the proxy. */
  readonly url: string;
  /** Breaks every connection, and each new one as soon as it comes. */
  cut(): void;
  /** The same for connections from one address alone. */
  cutFrom(address: string): void;
  /** Lets new connections through again. */
  restore(): void;
  /** From now on leads to another server, as an address does after a failover; every connection breaks. */
  redirect(serverUrl: string): void;
  /** From now on new connections lead to another server; the old ones stay where they are. */
  lead(serverUrl: string): void;
  /** The next packet with such text reaches the server; the reply is lost, and the connection breaks. */
  loseReplyTo(matches: Matches): void;
  /** How many replies were lost. */
  readonly repliesLost: () => number;
}

/** Whether a packet is meant, by its bytes as text. */
type Matches = (text: string) => boolean;

export interface TcpProxyOptions {
  /** Each connection breaks at this age, or up to half of it earlier. */
  readonly connectionMsMax?: number;
}

/** Opens a proxy in front of the server that a URL names. */
export async function openTcpProxy(serverUrl: string, { connectionMsMax }: TcpProxyOptions = {}): Promise<TcpProxy> {
  let target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  const state = { isCut: false, loseReplyTo: null as Matches | null, repliesLost: 0 };
  const cutSources = new Set<string | undefined>();
  const server = createServer((client) => {
    if (state.isCut || cutSources.has(client.remoteAddress)) {
      client.destroy();
      return;
    }
    if (connectionMsMax !== undefined) {
      const timer = setTimeout(() => client.destroy(), connectionMsMax * (1 - Math.random() / 2));
      client.on('close', () => clearTimeout(timer));
    }
    join(client, connectTcp(Number(target.port), target.hostname), sockets, state);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const { port } = address;
  const url = new URL(serverUrl);
  url.port = String(port);
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    url: url.href,
    cut() {
      state.isCut = true;
      breakAll();
    },
    cutFrom(source) {
      cutSources.add(source);
      for (const socket of sockets) if (socket.remoteAddress === source) socket.destroy();
    },
    restore() {
      state.isCut = false;
      cutSources.clear();
    },
    redirect(anotherUrl) {
      target = new URL(anotherUrl);
      breakAll();
    },
    lead(anotherUrl) {
      target = new URL(anotherUrl);
    },
    loseReplyTo(matches) {
      state.loseReplyTo = matches;
    },
    repliesLost: () => state.repliesLost,
    async [Symbol.asyncDispose]() {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function join(
  client: Socket,
  server: Socket,
  sockets: Set<Socket>,
  state: { loseReplyTo: Matches | null; repliesLost: number },
): void {
  let losing = false;
  const end = () => {
    client.destroy();
    server.destroy();
  };
  for (const socket of [client, server]) {
    sockets.add(socket);
    // A broken connection is what this is for; both ends hear of it.
    socket.on('error', end);
    socket.on('close', () => {
      sockets.delete(socket);
      end();
    });
  }
  client.on('data', (data) => {
    if (state.loseReplyTo?.(data.toString('latin1'))) {
      losing = true;
      state.loseReplyTo = null;
    }
    server.write(data);
  });
  server.on('data', (data) => {
    if (!losing) client.write(data);
    else {
      state.repliesLost += 1;
      end();
    }
  });
}
