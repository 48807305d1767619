// full-log-disk.test.ts -- A log that cannot be written, or that nobody reads, keeps nothing from its work: lines are dropped and counted.

import { afterAll, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../tools/stack/free-port.ts';
import { eventually } from '../eventually.ts';
import { startEntry } from '../started-entry.ts';
import { openStores } from '../stores.ts';

const stores = await openStores();
afterAll(() => stores.close());

test.skipIf(!existsSync('/dev/full')).each([
  ['src/server.ts', 'PORT'],
  ['workers/worker.ts', 'WORKER_PORT'],
])('%s starts, works and stops while its log is on a full disk', async (entry, setting) => {
  const port = await freePort();
  const launcher = ['sh', '-c', 'exec "$@" > /dev/full', 'sh'];
  const { child } = startEntry(stores, entry, { launcher, environment: { [setting]: String(port) } });
  const url = `http://127.0.0.1:${port}`;
  try {
    const isAlive = () =>
      fetch(`${url}/livez`).then(
        ({ ok }) => ok,
        () => false,
      );
    await eventually('it to answer', async () => {
      expect(child.exitCode).toBe(null);
      return isAlive();
    });
    // Noted in the log, which is full.
    child.kill('SIGHUP');
    const dropped = /^coupon_log_dropped_lines_total (\d+)$/m;
    await eventually('lines to be counted', async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return Number(dropped.exec(metrics)?.[1]) >= 2;
    });
    if (setting === 'PORT') {
      const { id } = await stores.coupon();
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ couponId: id, userId: 'someone' });
      expect((await fetch(`${url}/v2/issue-async`, { method: 'POST', headers, body })).status).toBe(202);
    }
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
});

test('an API answers while the reader of its log hangs, and counts the lines that nobody took', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hanging-log-'));
  const port = await freePort();
  // The pipe has a reader that reads nothing.
  const launcher = [
    'sh',
    '-c',
    `mkfifo ${folder}/log; sleep 60 < ${folder}/log > /dev/null & exec "$@" > ${folder}/log`,
    'sh',
  ];
  const environment = { PORT: String(port), REQUEST_LOG: 'on' };
  const { child } = startEntry(stores, 'src/server.ts', { launcher, environment });
  const url = `http://127.0.0.1:${port}`;
  const ask = () =>
    fetch(`${url}/livez`, { headers: { 'x-request-id': 'x'.repeat(128) } }).then(
      ({ ok }) => ok,
      () => false,
    );
  try {
    await eventually('it to answer', async () => {
      expect(child.exitCode).toBe(null);
      return ask();
    });
    let answered = 0;
    // More than the pipe and what is held for it take.
    const callers = Array.from({ length: 20 }, async () => {
      for (let i = 0; i < 350; i += 1) if (await ask()) answered += 1;
    });
    await Promise.all(callers);
    expect(answered).toBe(7000);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(Number(/^coupon_log_dropped_lines_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(100);
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}, 30_000);
