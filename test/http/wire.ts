// wire.ts -- HTTP as bytes: for what a client library hides, such as bodies that never come and answers to HEAD.

import { connect, type Socket } from 'node:net';

/** A connection that remembers everything it received. */
export interface Wire {
  write(text: string): void;
  /** Resolves with everything received as soon as it matches; rejects when the connection ends or the bound passes before. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves when the other side has closed; rejects when the bound passes before. */
  closed(): Promise<string>;
  destroy(): void;
}

const WAIT_MS_MAX = 10_000;

/** Connects to a port of this machine; rejects when nobody listens. */
export async function openWire(port: number): Promise<Wire> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  let ended = false;
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1');
    socket.emit('progress');
  });
  socket.on('close', () => {
    ended = true;
    socket.emit('progress');
  });
  await new Promise<void>((resolve, reject) => socket.once('connect', () => resolve()).once('error', reject));
  // From here on a reset is an end like any other; what counts is what was received until then.
  socket.on('error', () => {});
  return {
    write: (text) => void socket.write(text, 'latin1'),
    until: (pattern) =>
      waitFor(
        socket,
        () => received,
        () => pattern.test(received),
        () => ended,
      ),
    closed: () =>
      waitFor(
        socket,
        () => received,
        () => ended,
        () => false,
      ),
    destroy: () => void socket.destroy(),
  };
}

function waitFor(socket: Socket, text: () => string, done: () => boolean, lost: () => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      socket.off('progress', look);
      settle();
    };
    const look = () => {
      if (done()) finish(() => resolve(text()));
      else if (lost()) finish(() => reject(new Error(`the connection ended after: ${text()}`)));
    };
    const timer = setTimeout(
      () => finish(() => reject(new Error(`waited too long; received: ${text()}`))),
      WAIT_MS_MAX,
    );
    socket.on('progress', look);
    look();
  });
}
