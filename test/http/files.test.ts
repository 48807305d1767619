// files.test.ts -- A server whose files run out makes room, refuses and accepts again, and does not use a processor for trying.

import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { eventually } from '../eventually.ts';
import { startSteered } from './steered-process.ts';

/** More than the server may have files. */
const CALLERS = 300;

async function start() {
  const child = startSteered('bun with 100 files', 'guarded-entry.ts');
  const port = Number(await child.line());
  const sockets: { destroy(): void }[] = [];
  return {
    ...child,
    port,
    /** A connection; it asks for `path`, or for nothing, and never closes. */
    call: (path: string | null) => {
      const caller = { text: '', socket: connect(port, '127.0.0.1') };
      caller.socket.on('data', (bytes) => (caller.text += bytes.toString())).on('error', () => {});
      if (path !== null) caller.socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      sockets.push(caller.socket);
      return caller;
    },
    /** Time of processors that it has used. The clock of the system ticks every 10 ms. */
    processorMs: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      child.leave();
      const code = await child.exited;
      expect(code).toBe(0);
    },
  };
}

test('more callers than there are files are answered, though each keeps its connection', async () => {
  await using server = await start();
  const callers = Array.from({ length: CALLERS }, () => server.call('/'));
  await eventually('every answer', () => callers.every(({ text }) => text.includes('answered')));
}, 30_000);

test('while connections that never ask take all files no processor is used, and what is under way is answered', async () => {
  await using server = await start();
  const slow = server.call('/slow');
  const silent = Array.from({ length: CALLERS }, () => server.call(null));
  const refusing = await server.line();
  const usedMs = server.processorMs();
  await Bun.sleep(2000);
  // Trying to accept uses 400 to 600 ms of each second.
  expect([refusing, server.processorMs() - usedMs < 200]).toEqual(['refusing', true]);
  server.say('release');
  await eventually('the answer under way', () => slow.text.includes('answered'));
  for (const { socket } of silent) socket.destroy();
  const accepting = await server.line();
  const answer = await fetch(`http://127.0.0.1:${server.port}/`);
  expect([accepting, await answer.text()]).toEqual(['accepting', 'answered']);
}, 30_000);
