// backlog.test.ts -- New connections wait while the server stands still: more than the runtime would let wait by itself.

import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { eventually } from '../eventually.ts';
import { startSteered } from './steered-process.ts';

/** More than the 512 that Bun asks for. */
const CALLERS = 1500;
const allowed = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));

test.skipIf(allowed < CALLERS)(
  '1,500 connections are made while the server stands still, and are answered then',
  async () => {
    const server = startSteered('bun', 'guarded-entry.ts');
    const port = Number(await server.line());
    process.kill(server.pid, 'SIGSTOP');
    const callers = Array.from({ length: CALLERS }, () => {
      const caller = { text: '', isConnected: false, socket: connect(port, '127.0.0.1') };
      caller.socket
        .on('connect', () => (caller.isConnected = true))
        .on('data', (bytes) => (caller.text += bytes.toString()))
        .on('error', () => {});
      caller.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      return caller;
    });
    try {
      await eventually('every connection', () => callers.every(({ isConnected }) => isConnected));
      process.kill(server.pid, 'SIGCONT');
      await eventually('every answer', () => callers.every(({ text }) => text.includes('answered')));
    } finally {
      process.kill(server.pid, 'SIGCONT');
      for (const { socket } of callers) socket.destroy();
      server.leave();
    }
    expect(await server.exited).toBe(0);
  },
  40_000,
);
