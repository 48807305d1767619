// lane.ts -- One HTTP connection that reports exactly what happened to a request, and never sends one twice.
//
// Client libraries hide what counts here: they send a request again when an idle connection turns out to be closed, and they do
// not distinguish an answer that broke off from one that never came.

import { connect, type Socket } from 'node:net';

/** The result of a request. */
export type Reply =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Names in small letters. */
      readonly headers: ReadonlyMap<string, string>;
      readonly body: string;
    }
  /** The connection was refused: the request was never sent. */
  | { readonly kind: 'not sent' }
  /** The connection ended without one byte of an answer. */
  | { readonly kind: 'unanswered' }
  /** The caller timed out. */
  | { readonly kind: 'timed out' }
  /** The connection ended in the middle of an answer. */
  | { readonly kind: 'cut' };

export interface Question {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A keep-alive connection to one port of this machine: one request at a time, reconnected when it has ended. */
export class Lane {
  readonly port: number;
  /** Whose connection it is. */
  readonly client: number;
  readonly #waitMsMax: number;
  #socket: Socket | null = null;

  constructor(port: number, waitMsMax: number, client = 0) {
    this.port = port;
    this.client = client;
    this.#waitMsMax = waitMsMax;
  }

  /** Asks once. Never rejects: whatever happens to the connection is a reply. */
  async ask(question: Question): Promise<Reply> {
    const socket = this.#socket ?? (await this.#connect());
    if (!socket) return { kind: 'not sent' };
    this.#socket = socket;
    const reply = await exchange(socket, textOf(question), this.#waitMsMax);
    const goesOn = reply.kind === 'answer' && reply.headers.get('connection') !== 'close' && !socket.destroyed;
    if (!goesOn) this.close();
    return reply;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  #connect(): Promise<Socket | null> {
    return new Promise((resolve) => {
      const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
      socket.once('connect', () => resolve(socket));
      socket.on('error', () => resolve(null));
      // Closed while idle: the next request opens another one.
      socket.on('close', () => {
        if (this.#socket === socket) this.#socket = null;
        resolve(null);
      });
    });
  }
}

function textOf({ method, path, body, headers = {} }: Question): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const all: Record<string, string> = { host: 'localhost', ...headers };
  if (text !== '')
    Object.assign(all, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n${text}`;
}

function exchange(socket: Socket, request: string, waitMsMax: number): Promise<Reply> {
  return new Promise((resolve) => {
    let received = '';
    const finish = (reply: Reply): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onClose);
      resolve(reply);
    };
    const onData = (bytes: Buffer): void => {
      received += bytes.toString('latin1');
      const answer = readAnswer(received);
      if (answer) finish(answer);
    };
    const onClose = (): void => finish({ kind: received === '' ? 'unanswered' : 'cut' });
    const timer = setTimeout(() => {
      finish({ kind: 'timed out' });
      socket.destroy();
    }, waitMsMax);
    socket.on('data', onData).on('close', onClose);
    if (socket.destroyed) onClose();
    else socket.write(request);
  });
}

/** The answer once it is whole; bodies here are ASCII, so that bytes and letters are the same. */
function readAnswer(text: string): Reply | null {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [first = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = Number(headers.get('content-length') ?? 0);
  const body = text.slice(headEnd + 4);
  if (body.length < length) return null;
  return { kind: 'answer', status: Number(first.split(' ')[1]), headers, body };
}
