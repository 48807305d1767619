// webhook-receiver.test.ts -- The receivers of examples/, each in its language: they take what is signed, and handle each event once.

import { expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { findProgram } from '../../tools/stack/find-program.ts';
import { eventOf, messageOf } from '../../src/webhooks/events.ts';
import { createSecret, signedHeaders } from '../../src/webhooks/signature.ts';
import { eventually } from '../eventually.ts';

const deno = process.env['DENO_PATH'] ?? 'deno';
const receivers = {
  Bun: [process.execPath, 'webhook-receiver.ts'],
  Deno: [deno, 'run', '--quiet', '--no-lock', '--node-modules-dir=manual', '--allow-all', 'webhook-receiver.ts'],
  Python: [findProgram('python3'), 'python/webhook_receiver.py'],
  // Compiles as it starts, which only a whole JDK does.
  Java: [findProgram('javac') && findProgram('java'), 'java/WebhookReceiver.java'],
} as const;

for (const [language, [program, ...words]] of Object.entries(receivers)) {
  // Where its tools are not here, it is skipped.
  test.skipIf(program === undefined)(`on ${language} the example verifies, and handles each event once`, async () => {
    await receives(String(program), words);
  });
}

async function receives(program: string, words: readonly string[]): Promise<void> {
  const secret = createSecret();
  const file = resolve(import.meta.dirname, '../../examples', words.at(-1) ?? '');
  const child = Bun.spawn([program, ...words.slice(0, -1), file], {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', WEBHOOK_SECRET: secret, PORT: '0' },
    stdout: 'pipe',
    stderr: 'inherit',
  });
  try {
    let said = '';
    void (async () => {
      for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) said += piece;
    })();
    await eventually('it to listen', () => said.includes('listening on'));
    const url = /listening on (\S+)/.exec(said)?.[1] ?? '';
    const events = [1, 2].map((sequence) =>
      eventOf(`1:issue:${sequence}`, 'issue.created', 0, { couponId: 1, sequence, userId: `user-${sequence}` }),
    );
    const send = async (body: string, headers: Readonly<Record<string, string>>) =>
      (await fetch(url, { method: 'POST', body, headers })).status;
    const message = messageOf(1, events);
    const signed = signedHeaders(message, secret);
    expect(await send(message.body, signed)).toBe(204);
    // Sent again, with another one, forged, changed, and too old.
    const more = messageOf(1, [
      ...events,
      eventOf('1:event:1', 'issue.used', 1, { couponId: 1, sequence: 1, userId: null }),
    ]);
    expect(await send(more.body, signedHeaders(more, secret))).toBe(204);
    expect(await send(message.body, signedHeaders(message, createSecret()))).toBe(401);
    expect(await send(message.body.replace('user-1', 'user-9'), signed)).toBe(401);
    expect(await send(message.body, {})).toBe(401);
    const old = new Date(Date.now() - 600_000);
    const aged = {
      'webhook-timestamp': String(Math.floor(old.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(message.id, old, message.body),
    };
    expect(await send(message.body, { ...signed, ...aged })).toBe(401);
    await eventually('the lines', () => said.includes('issue.used'));
    expect(said.match(/issue\.\w+/g)).toEqual(['issue.created', 'issue.created', 'issue.used']);
  } finally {
    child.kill();
    await child.exited;
  }
}

test('a message has the same id whenever it has the same body, and its signature is that of the specification', () => {
  const event = eventOf('1:issue:1', 'issue.created', 1_700_000_000_000, { couponId: 1 });
  const message = messageOf(1, [event]);
  expect(messageOf(1, [event])).toEqual(message);
  expect(messageOf(2, [event]).id).not.toBe(message.id);
  expect(JSON.parse(message.body)).toEqual({
    type: 'coupon.events',
    timestamp: '2023-11-14T22:13:20.000Z',
    data: { couponId: 1, events: [event] },
  });
  const secret = createSecret();
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(new Webhook(secret).verify(message.body, { ...signedHeaders(message, secret) })).toBeTruthy();
});
