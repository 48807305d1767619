// fault-proxy.test.ts -- The proxy is believed to do harm only because each kind of harm is seen here, on an echo.

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { createServer, type Server } from 'node:net';
import { type Wire, openWire } from '../http/wire.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

/** Answers each piece with itself, and remembers all. */
let echo: Server;
let received = '';
let proxy: FaultProxy;
let wire: Wire;

beforeEach(async () => {
  received = '';
  echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
      socket.write(bytes);
    });
  });
  const port = await new Promise<number>((resolve) => {
    echo.listen(0, '127.0.0.1', () => resolve((echo.address() as { port: number }).port));
  });
  proxy = await startFaultProxy(port);
  wire = await openWire(proxy.port);
});

afterEach(async () => {
  wire.destroy();
  await proxy.close();
  echo.close();
});

test('without faults everything passes', async () => {
  wire.write('hello');
  expect(await wire.until(/hello/)).toBe('hello');
});

test('a delay holds back both ways, and keeps the order', async () => {
  proxy.set({ kind: 'delay', delayMs: 60 });
  const startMs = performance.now();
  wire.write('one');
  wire.write('two');
  expect(await wire.until(/onetwo/)).toBe('onetwo');
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(115);
});

test('a reset ends open and new connections until the fault is cleared', async () => {
  wire.write('hello');
  await wire.until(/hello/);
  proxy.set({ kind: 'reset' });
  await wire.closed();
  const refused = await openWire(proxy.port);
  await refused.closed();
  proxy.set({ kind: 'clear' });
  const next = await openWire(proxy.port);
  next.write('again');
  expect(await next.until(/again/)).toBe('again');
  next.destroy();
});

test('half-open drops data on existing connections without closing them, and lets new ones through', async () => {
  wire.write('before');
  await wire.until(/before/);
  proxy.set({ kind: 'half-open' });
  wire.write('swallowed');
  const next = await openWire(proxy.port);
  next.write('after');
  await next.until(/after/);
  wire.write('swallowed too');
  next.write(' and more');
  await next.until(/and more/);
  expect(received).toBe('beforeafter and more');
  next.destroy();
});

test('the second of two requests can be chosen', async () => {
  const dropped = proxy.dropReplyTo('x', 2);
  wire.write('x1');
  await wire.until(/x1/);
  wire.write('x2');
  await dropped;
  expect(await wire.closed()).toBe('x1');
  expect(received).toBe('x1x2');
});

test('a dropped reply belongs to a request that arrived; others pass', async () => {
  const dropped = proxy.dropReplyTo('COMMIT');
  wire.write('BEGIN');
  await wire.until(/BEGIN/);
  wire.write('COMMIT');
  await dropped;
  expect(await wire.closed()).toBe('BEGIN');
  expect(received).toBe('BEGINCOMMIT');
});
