// The first thing a server on loopback says, without any client library: enough to know whether it serves yet.
import { connect } from 'node:net';

const waitMsMax = 1_000;

/** Connects, sends `request` (nothing when empty) and returns what comes first; undefined when nothing does within a second. */
export function firstReply(port: number, request: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: waitMsMax });
    const end = (reply: Buffer | undefined): void => {
      socket.destroy();
      resolve(reply);
    };
    socket.once('connect', () => {
      if (request !== '') socket.write(request);
    });
    socket.once('data', end);
    // No reply is an answer here: the caller asks again until it loses patience.
    for (const event of ['error', 'timeout', 'close']) socket.once(event, () => end(undefined));
  });
}
